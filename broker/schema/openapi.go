package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func content(media string, schema object) object {
	return object{"content": object{media: object{"schema": schema}}}
}

func answer(description, media string, schema object) object {
	a := object{"description": description}
	if schema != nil {
		maps.Copy(a, content(media, schema))
	}
	return a
}

const (
	mediaJSON    = "application/json"
	mediaProblem = problem.MediaType
	mediaStream  = "text/event-stream"
)

// parameter is one of a query, or a header.
func parameter(in, name, description string, schema object) object {
	return object{"name": name, "in": in, "description": description, "schema": schema}
}

func list[T ~string](names []T) object {
	return object{"type": "array", "items": object{"enum": names}}
}

// commaList is a list that is written with commas.
func commaList(name, description string, items object) object {
	p := parameter("query", name, description, items)
	p["style"], p["explode"] = "form", false
	return p
}

var filters = []object{
	commaList("types", "Event types.", list(event.Types)),
	commaList("modules", "Modules.", list(event.Modules)),
	commaList("subjects", "Subjects, such as rental/123, or all of a kind: rental/*.", object{"type": "array", "items": object{"type": "string"}, "maxItems": 100}),
	parameter("query", "severity", "The least severity.", object{"enum": event.Severities}),
	parameter("query", "after", "What follows a cursor; oldest: everything that is kept.", object{"type": "string"}),
	parameter("query", "lastEventId", "Another name of after, for EventSource polyfills; wins over after.",
		object{"type": "string"}),
}

var lastEventID = parameter("header", "Last-Event-ID", "Wins over lastEventId and after.", object{"type": "string"})

// operation is what one method of a path does. refusals are the statuses of
// problem documents.
func operation(summary string, parameters []object, answers object, refusals ...string) object {
	for _, status := range append([]string{"default"}, refusals...) {
		answers[status] = answer("Refused; see its code.", mediaProblem, ref("Problem"))
	}
	o := object{"summary": summary, "responses": answers}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	return o
}

func open(o object) object {
	o["security"] = []object{{}}
	return o
}

// withBody adds the body that an operation takes.
func withBody(o, schema object) object {
	o["requestBody"] = object{"required": true, "content": object{mediaJSON: object{"schema": schema}}}
	return o
}

// OpenAPI describes the API, by OpenAPI 3.1.
func OpenAPI() []byte {
	return encode(object{
		"openapi": "3.1.0",
		"info": object{"title": "Yardline", "version": "1", "description": "Live events for equipment-rental companies. See docs/protocol.md for what a stream holds.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"security": []object{{"bearer": []string{}}, {"session": []string{}}},
		"paths":    apiPaths(),
		"components": object{"schemas": components(), "securitySchemes": object{
			"bearer": object{"type": "http", "scheme": "bearer"},
			"session": object{"type": "apiKey", "in": "cookie", "name": "yardline_session_ID",
				"description": "ID is that of the installation."}}},
	})
}

func apiPaths() object {
	ok := func(schema object) object { return object{"200": answer("Done.", mediaJSON, schema)} }
	none := func(description string) object { return object{"204": answer(description, "", nil)} }
	publish := operation("Publish one event or a batch.", []object{
		parameter("query", "strict", "Refuse unknown fields.", object{"type": "boolean"}),
		parameter("header", "Idempotency-Key", "The id of a single event whose body has none.", object{"type": "string"}),
		parameter("header", "If-Grant", "Store only if the sender's grant is still this one.", object{"type": "string"}),
		parameter("header", "If-Entity-Cursor", "Store only if the entity has not changed since.", object{"type": "string", "pattern": cursorPattern}),
	}, object{"201": answer("Stored.", mediaJSON, object{"oneOf": []object{ref("Receipt"), ref("Receipts")}}), "200": answer("All of it was there before.", mediaJSON, object{"oneOf": []object{ref("Receipt"), ref("Receipts")}})},
		"409", "413", "415", "422", "429", "503", "507")
	publish["requestBody"] = object{"required": true, "content": object{
		mediaJSON: object{"schema": ref("Publication")}, "application/cloudevents+json": object{"schema": ref("Publication")},
		"application/cloudevents-batch+json": object{"schema": object{"type": "array", "minItems": 1, "maxItems": 1000, "items": ref("Publication")}}}}
	signIn := open(operation("Sign in.", nil, ok(ref("Session")), "401", "403", "429"))
	whoAmI := open(operation("Who is signed in.", nil, ok(ref("Session"))))
	signOut := open(operation("Sign out.", nil, none("Signed out."), "409"))
	withBody(signIn, object{"type": "object", "required": []string{"user"},
		"properties": object{"user": object{"type": "string"}, "password": object{"type": "string", "format": "password"}}})
	integer := func(least, most int) object { return object{"type": "integer", "minimum": least, "maximum": most} }
	id := parameter("path", "id", "Of a connection, as /api/stats lists it.", object{"type": "string"})
	id["required"] = true
	device := parameter("path", "id", "Of a device, as /api/push/subscriptions lists it.", object{"type": "string"})
	device["required"] = true
	typ := parameter("path", "type", "An event type.", object{"enum": event.Types})
	typ["required"] = true
	history := append(append([]object{}, filters...), parameter("query", "before", "What came before a cursor.", object{"type": "string", "pattern": cursorPattern}),
		parameter("query", "limit", "How many events.", integer(1, 1000)), parameter("query", "wait", "Seconds to wait, with after.", integer(0, 55)))
	return object{
		"/api/sse": object{
			"get":  operation("The stream.", append(append([]object{}, filters...), lastEventID), object{"200": answer("A stream of events until either side ends.", mediaStream, object{"type": "string"})}, "429", "503"),
			"post": publish,
		},
		"/api/ws":                     object{"get": operation("The stream over a WebSocket with the subprotocol "+wire.Subprotocol+". See /api/asyncapi.json.", filters, object{"101": answer("A WebSocket.", "", nil)}, "426", "429", "503")},
		"/api/events":                 object{"get": operation("History in both directions, and long poll.", history, ok(ref("Page")), "429")},
		"/api/snapshot":               object{"get": operation("The state that the caller may see.", nil, ok(ref("Snapshot")))},
		"/api/session":                object{"get": whoAmI, "post": signIn, "delete": signOut},
		"/api/stats":                  object{"get": operation("What the broker does; for admins.", nil, ok(ref("Stats")), "403")},
		"/api/connections/{id}/close": object{"post": operation("End a stream; for admins.", []object{id}, none("Closed."), "403", "404")},
		"/api/tokens": object{"post": withBody(operation("Sign a token for a back end; for admins.", nil, object{"201": answer("Signed.", mediaJSON, ref("Token"))}, "403", "422"),
			record(object{"user": object{"type": "string"}, "hours": integer(1, 8760)}))},
		"/embed/v1/status.js":     object{"get": open(operation("The status widget.", nil, object{"200": answer("A script.", "text/javascript", object{"type": "string"})}))},
		"/embed/v1/status.json":   object{"get": open(operation("The public status.", nil, ok(ref("Status"))))},
		"/embed/v1/status.svg":    object{"get": open(operation("The public status as a badge.", nil, object{"200": answer("An image.", "image/svg+xml", object{"type": "string"})}))},
		"/embed/v1/status.events": object{"get": open(operation("The public status, now and whenever it changes.", nil, object{"200": answer("A stream of events named status.", mediaStream, object{"type": "string"})}, "429", "503"))},
		"/api/push/key":           object{"get": operation("The key that browsers subscribe with.", nil, ok(ref("PushKey")))},
		"/api/push/subscriptions": object{"get": operation("The caller's devices.", nil, ok(ref("Devices"))),
			"post": withBody(operation("Push to a device, or renew it.", nil, object{"201": answer("Subscribed.", mediaJSON, ref("Device"))}, "403", "409", "422"), ref("Subscription"))},
		"/api/push/subscriptions/{id}":      object{"delete": operation("Push no more to a device.", []object{device}, none("Removed."), "404")},
		"/api/push/subscriptions/{id}/test": object{"post": operation("Push a greeting.", []object{device}, none("The push service has taken it."), "404", "429", "502")},
		"/api/push/preferences": object{"get": operation("What the caller wants to be told of.", nil, ok(ref("Preferences"))),
			"put": withBody(operation("Change it.", nil, ok(ref("Preferences")), "422"), ref("Preferences"))},
		"/api/schema/{type}": object{"get": open(operation("The JSON Schema of a type.", []object{typ, parameter("query", "for", "Who it is for.", object{"enum": []Use{ForPublishers, ForReaders}, "default": ForPublishers})},
			object{"200": answer("A schema.", "application/schema+json", object{"type": "object"})}, "404"))},
		"/api/openapi.json":  object{"get": open(operation("This document.", nil, ok(object{"type": "object"})))},
		"/api/asyncapi.json": object{"get": open(operation("The streams, by AsyncAPI.", nil, ok(object{"type": "object"})))},
		"/api/types.d.ts":    object{"get": open(operation("TypeScript types.", nil, object{"200": answer("A declaration file.", "application/typescript", object{"type": "string"})}))},
		"/metrics":           object{"get": operation("Metrics for Prometheus; for admins.", nil, object{"200": answer("Metrics.", "text/plain", object{"type": "string"})}, "403")},
		"/healthz":           object{"get": open(operation("The process runs.", nil, ok(object{"type": "object"})))},
		"/readyz":            object{"get": open(operation("It can serve.", nil, ok(ref("Readiness")), "503", "507"))},
	}
}

// problemCode lists the codes of problems without restricting them, because a newer
// broker may have more.
func problemCode() object {
	return object{
		"type": "string",
		"description": "Programs decide by it. A newer broker may have others than these: " +
			strings.Join(problem.Codes(), ", "),
	}
}

// record is an object with these properties, all of them there but the optional.
func record(properties object, optional ...string) object {
	var required []string
	for _, name := range keys(properties) {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// typeSchemas are the schemas of all types for a use, by their names, and one
// that is any of them.
func typeSchemas(into object, use Use, anyOf string) {
	var one []object
	mapping := object{}
	for _, t := range event.Types {
		name := typeName(t, use)
		into[name] = eventObject(t, use)
		one = append(one, ref(name))
		mapping[string(t)] = "#/components/schemas/" + name
	}
	into[anyOf] = object{"oneOf": one, "discriminator": object{"propertyName": "type", "mapping": mapping}}
}

// components are the schemas that paths and messages refer to.
func components() object {
	str, boolean, number, instant := object{"type": "string"}, object{"type": "boolean"},
		object{"type": "integer", "format": formatInt, "minimum": 0}, object{"type": "string", "format": "date-time"}
	cursor := object{"type": "string", "pattern": cursorPattern, "description": "A place in the log. Treat it as opaque."}
	array := func(items object) object { return object{"type": "array", "items": items} }
	counts := object{"type": "object", "additionalProperties": number}
	amount := object{"type": "number", "minimum": 0}
	user := record(object{"id": str, "name": str, "roles": list(access.Roles), "employee": number, "tenant": str},
		"employee", "tenant")
	clock := object{"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
	c := object{
		"Cursor": cursor,
		"Receipt": record(object{"id": str, "cursor": ref("Cursor"), "duplicate": boolean,
			"warnings": array(record(object{"pointer": str, "message": str}))}, "warnings"),
		"Receipts": record(object{"events": array(ref("Receipt"))}),
		"Problem": record(object{
			"type":        str,
			"title":       str,
			"status":      number,
			"code":        problemCode(),
			"detail":      str,
			"errors":      array(record(object{"pointer": str, "code": str, "expected": str})),
			"retry_after": number,
			"stored":      array(ref("Receipt")),
		}, "detail", "errors", "retry_after", "stored"),
		"Page": record(object{"events": array(ref("Event")), "gap": record(object{"from": ref("Cursor"), "to": ref("Cursor")}),
			"previous": ref("Cursor"), "next": ref("Cursor"), "head": ref("Cursor"), "grant": str}, "gap"),
		"Snapshot": record(object{"cursor": ref("Cursor"), "grant": str, "time": instant, "currency": str, "fleet": number, "zone": object{"type": "object"}, "figures": object{"type": "object"},
			"entities": array(record(object{"key": str, "type": object{"enum": event.Types}, "fields": object{"type": "object"}, "seq": number, "time": instant}))}),
		"Session": record(object{"user": object{"oneOf": []object{{"type": "null"}, user}},
			"grant": str, "users": array(str), "sign_in": object{"enum": []string{"name", "password", "provider"}},
			"warning": record(object{"code": str, "title": str, "detail": str})}, "grant", "warning"),
		"Stats": record(object{"connections": number, "connections_by_transport": counts, "connections_by_role": counts, "views": number, "events_total": number, "deliveries_total": number,
			"started": instant, "events_per_minute": array(number), "events_by_type": counts, "delivery_ms": record(object{"p50": amount, "p95": amount, "p99": amount, "writes": number}),
			"published": counts, "pushes": counts, "gaps": number, "slow": number, "memory_bytes": number, "connection_memory_bytes": number, "log_healthy": boolean, "log_oldest": number, "log_newest": number,
			"open": array(record(object{"id": str, "actor": str, "roles": str, "transport": str, "since": instant, "lag_bytes": number}))}),
		"Token": record(object{"token": str, "user": str, "roles": list(access.Roles), "expires": instant}),
		"Status": record(object{"state": object{"enum": []string{"connecting", "live", "limited", "disconnected"}},
			"since": instant, "message": str}),
		"Readiness": record(object{"status": object{"const": "ready"},
			"warnings": array(record(object{"code": str, "detail": str}))}, "warnings"),
		"PushKey": record(object{"key": str}),
		"Device": record(object{"id": str, "name": str, "created": instant,
			"failing": record(object{"since": instant, "status": number})}, "failing"),
		"Devices": record(object{"devices": array(ref("Device"))}),
		"Subscription": record(object{"endpoint": object{"type": "string", "format": "uri"},
			"keys": record(object{"p256dh": str, "auth": str}),
			"name": object{"type": "string", "maxLength": 80}, "replaces": str}, "name", "replaces"),
		"Preferences": record(object{"muted": list(event.Types), "push": list(event.Types),
			"quiet": record(object{"from": clock, "to": clock, "zone": str})}, "quiet"),
		"Hello": record(object{"epoch": str, "head": ref("Cursor"), "oldest": ref("Cursor"), "heartbeat_ms": number, "retry_ms": number, "connection": str, "grant": str}),
		"Gap":   record(object{"from": ref("Cursor"), "to": ref("Cursor")}),
		"Bye":   record(object{"reason": object{"enum": []wire.Reason{wire.ByeRetry, wire.ByeSlow, wire.ByeDrain, wire.ByeRegrant, wire.ByeSignedOut, wire.ByeExpired, wire.ByeStop}}, "delay_ms": number}),
	}
	typeSchemas(c, ForPublishers, "Publication")
	typeSchemas(c, ForReaders, "Event")
	return c
}
