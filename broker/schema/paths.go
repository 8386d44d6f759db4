package schema

import (
	"maps"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// filters holds the parameters of a query that select events.
var filters = []object{
	commaList("types", "Event types.", list(event.Types)),
	commaList("modules", "Modules.", list(event.Modules)),
	commaList("subjects", "Subjects, such as rental/123, or all of a kind: rental/*.",
		object{"type": "array", "items": object{"type": "string"}, "maxItems": 100}),
	parameter("query", "severity", "The least severity.", object{"enum": event.Severities}),
	parameter("query", "after", "What follows a cursor; oldest: everything that is kept.", object{"type": "string"}),
	parameter("query", "lastEventId", "Another name of after, for EventSource polyfills; wins over after.",
		object{"type": "string"}),
}

var lastEventID = parameter("header", "Last-Event-ID", "Wins over lastEventId and after.", object{"type": "string"})

// withFilters returns the parameters that select events, followed by further ones.
func withFilters(more ...object) []object { return append(append([]object{}, filters...), more...) }

// paths returns all paths of the API.
func paths() object {
	all := object{}
	for _, part := range []object{
		streamPaths(), sessionPaths(), adminPaths(), statusPaths(), pushPaths(), documentPaths(), operatorPaths(),
	} {
		maps.Copy(all, part)
	}
	return all
}

// streamPaths returns the paths that carry events.
func streamPaths() object {
	history := withFilters(
		parameter("query", "before", "Events before a cursor.",
			object{"type": "string", "pattern": cursorPattern}),
		parameter("query", "limit", "How many events.", integer(1, 1000)),
		parameter("query", "wait", "Seconds to wait, with after.", integer(0, 55)),
	)
	overWebSocket := operation(
		"The stream over a WebSocket with the subprotocol "+wire.Subprotocol+". See /api/asyncapi.json.",
		filters, object{"101": answer("A WebSocket.", "", nil)}, "426", "429", "503")
	return object{
		"/api/sse": object{
			"get": operation("The stream.", withFilters(lastEventID),
				answerText("A stream of events until either side ends.", mediaStream), "429", "503"),
			"post": publishOperation(),
		},
		"/api/ws": object{"get": overWebSocket},
		"/api/events": object{
			"get": operation("History in both directions, and long poll.", history, answerOK(ref("Page")), "429"),
		},
		"/api/snapshot": object{
			"get": operation("The state that the caller may see.", nil, answerOK(ref("Snapshot"))),
		},
	}
}

// publishOperation returns POST /api/sse.
func publishOperation() object {
	receipts := object{"oneOf": []object{ref("Receipt"), ref("Receipts")}}
	publish := operation("Publish one event or a batch.",
		[]object{
			parameter("query", "strict", "Refuse unknown fields.", object{"type": "boolean"}),
			parameter("header", "Idempotency-Key", "The id of a single event whose body has none.",
				object{"type": "string"}),
			parameter("header", "If-Grant", "Store only if the sender's grant is still this one.",
				object{"type": "string"}),
			parameter("header", "If-Entity-Cursor", "Store only if the entity has not changed since.",
				object{"type": "string", "pattern": cursorPattern}),
		},
		object{
			"201": answer("Stored.", mediaJSON, receipts),
			"200": answer("All of it was there before.", mediaJSON, receipts),
		},
		"409", "413", "415", "422", "429", "503", "507")
	batch := object{"type": "array", "minItems": 1, "maxItems": 1000, "items": ref("Publication")}
	publish["requestBody"] = object{"required": true, "content": object{
		mediaJSON:                            object{"schema": ref("Publication")},
		"application/cloudevents+json":       object{"schema": ref("Publication")},
		"application/cloudevents-batch+json": object{"schema": batch},
	}}
	return publish
}

// sessionPaths returns the path that signs users in and out.
func sessionPaths() object {
	credentials := object{
		"type":     "object",
		"required": []string{"user"},
		"properties": object{
			"user":     object{"type": "string"},
			"password": object{"type": "string", "format": "password"},
		},
	}
	signIn := withoutSignIn(operation("Sign in.", nil, answerOK(ref("Session")), "401", "403", "429"))
	return object{"/api/session": object{
		"get":    withoutSignIn(operation("Who is signed in.", nil, answerOK(ref("Session")))),
		"post":   withBody(signIn, credentials),
		"delete": withoutSignIn(operation("Sign out.", nil, answerEmpty("Signed out."), "409")),
	}}
}

// adminPaths returns the paths for admins.
func adminPaths() object {
	connection := pathParameter("id", "Of a connection, as /api/stats lists it.", object{"type": "string"})
	signToken := operation("Sign a token for a back end; for admins.", nil,
		answerCreated("Signed.", ref("Token")), "403", "422")
	return object{
		"/api/stats": object{
			"get": operation("Statistics of the broker; for admins.", nil, answerOK(ref("Stats")), "403"),
		},
		"/api/connections/{id}/close": object{
			"post": operation("End a stream; for admins.", []object{connection}, answerEmpty("Closed."), "403", "404"),
		},
		"/api/tokens": object{
			"post": withBody(signToken, record(object{"user": object{"type": "string"}, "hours": integer(1, 8760)})),
		},
	}
}

// statusPaths returns the paths of the public status, which web sites embed.
func statusPaths() object {
	get := func(o object) object { return object{"get": withoutSignIn(o)} }
	return object{
		"/embed/v1/status.js": get(operation("The status widget.", nil,
			answerText("A script.", "text/javascript"))),
		"/embed/v1/status.json": get(operation("The public status.", nil,
			answerOK(ref("Status")))),
		"/embed/v1/status.svg": get(operation("The public status as a badge.", nil,
			answerText("An image.", "image/svg+xml"))),
		"/embed/v1/status.events": get(operation("The public status, now and whenever it changes.", nil,
			answerText("A stream of events named status.", mediaStream), "429", "503")),
	}
}

// pushPaths returns the paths of devices and preferences.
func pushPaths() object {
	device := []object{
		pathParameter("id", "Of a device, as /api/push/subscriptions lists it.", object{"type": "string"}),
	}
	subscribe := operation("Push to a device, or renew it.", nil,
		answerCreated("Subscribed.", ref("Device")), "403", "409", "422")
	return object{
		"/api/push/key": object{
			"get": operation("The key that browsers subscribe with.", nil, answerOK(ref("PushKey"))),
		},
		"/api/push/subscriptions": object{
			"get":  operation("The caller's devices.", nil, answerOK(ref("Devices"))),
			"post": withBody(subscribe, ref("Subscription")),
		},
		"/api/push/subscriptions/{id}": object{
			"delete": operation("Push no more to a device.", device, answerEmpty("Removed."), "404"),
		},
		"/api/push/subscriptions/{id}/test": object{
			"post": operation("Push a greeting.", device,
				answerEmpty("The push service has taken it."), "404", "429", "502"),
		},
		"/api/push/preferences": object{
			"get": operation("What the caller wants to be told of.", nil, answerOK(ref("Preferences"))),
			"put": withBody(operation("Change it.", nil, answerOK(ref("Preferences")), "422"), ref("Preferences")),
		},
	}
}

// documentPaths returns the paths of this package's documents.
func documentPaths() object {
	get := func(o object) object { return object{"get": withoutSignIn(o)} }
	schemaOf := []object{
		pathParameter("type", "An event type.", object{"enum": event.Types}),
		parameter("query", "for", "Who it is for.",
			object{"enum": []Use{ForPublishers, ForReaders}, "default": ForPublishers}),
	}
	return object{
		"/api/schema/{type}": get(operation("The JSON Schema of a type.", schemaOf,
			object{"200": answer("A schema.", "application/schema+json", object{"type": "object"})}, "404")),
		"/api/openapi.json": get(operation("This document.", nil,
			answerOK(object{"type": "object"}))),
		"/api/asyncapi.json": get(operation("The streams, by AsyncAPI.", nil,
			answerOK(object{"type": "object"}))),
		"/api/types.d.ts": get(operation("TypeScript types.", nil,
			answerText("A declaration file.", "application/typescript"))),
	}
}

// operatorPaths returns the paths for monitoring.
func operatorPaths() object {
	return object{
		"/metrics": object{
			"get": operation("Metrics for Prometheus; for admins.", nil, answerText("Metrics.", "text/plain"), "403"),
		},
		"/healthz": object{
			"get": withoutSignIn(operation("The process runs.", nil, answerOK(object{"type": "object"}))),
		},
		"/readyz": object{
			"get": withoutSignIn(operation("It can serve.", nil, answerOK(ref("Readiness")), "503", "507")),
		},
	}
}
