package schema

import (
	"maps"
	"strings"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// The schemas of simple values.
var (
	textSchema    = object{"type": "string"}
	booleanSchema = object{"type": "boolean"}
	countSchema   = object{"type": "integer", "format": formatInt, "minimum": 0}
	timeSchema    = object{"type": "string", "format": "date-time"}
	countsByName  = object{"type": "object", "additionalProperties": countSchema}
)

func array(items object) object { return object{"type": "array", "items": items} }

// components returns the schemas that paths and messages refer to, by their names.
func components() object {
	all := object{}
	for _, part := range []object{publishSchemas(), stateSchemas(), sessionSchemas(), pushSchemas(), frameSchemas()} {
		maps.Copy(all, part)
	}
	addTypeSchemas(all, ForPublishers, "Publication")
	addTypeSchemas(all, ForReaders, "Event")
	return all
}

// publishSchemas returns the answers to publications.
func publishSchemas() object {
	return object{
		"Cursor": object{
			"type":        "string",
			"pattern":     cursorPattern,
			"description": "A place in the log. Treat it as opaque.",
		},
		"Receipt": record(object{
			"id":        textSchema,
			"cursor":    ref("Cursor"),
			"duplicate": booleanSchema,
			"warnings":  array(record(object{"pointer": textSchema, "message": textSchema})),
		}, "warnings"),
		"Receipts": record(object{"events": array(ref("Receipt"))}),
		"Problem": record(object{
			"type":        textSchema,
			"title":       textSchema,
			"status":      countSchema,
			"code":        problemCode(),
			"detail":      textSchema,
			"errors":      array(record(object{"pointer": textSchema, "code": textSchema, "expected": textSchema})),
			"retry_after": countSchema,
			"stored":      array(ref("Receipt")),
		}, "detail", "errors", "retry_after", "stored"),
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

// stateSchemas returns the bodies that hold history, state and figures.
func stateSchemas() object {
	entity := record(object{
		"key":    textSchema,
		"type":   object{"enum": event.Types},
		"fields": object{"type": "object"},
		"seq":    countSchema,
		"time":   timeSchema,
	})
	return object{
		"Page": record(object{
			"events":   array(ref("Event")),
			"gap":      record(object{"from": ref("Cursor"), "to": ref("Cursor")}),
			"previous": ref("Cursor"),
			"next":     ref("Cursor"),
			"head":     ref("Cursor"),
			"grant":    textSchema,
		}, "gap"),
		"Snapshot": record(object{
			"cursor":   ref("Cursor"),
			"grant":    textSchema,
			"time":     timeSchema,
			"currency": textSchema,
			"fleet":    countSchema,
			"zone":     object{"type": "object"},
			"figures":  object{"type": "object"},
			"entities": array(entity),
		}),
		"Stats": statsSchema(),
		"Status": record(object{
			"state":   object{"enum": []string{"connecting", "live", "limited", "disconnected"}},
			"since":   timeSchema,
			"message": textSchema,
		}),
		"Readiness": record(object{
			"status":   object{"const": "ready"},
			"warnings": array(record(object{"code": textSchema, "detail": textSchema})),
		}, "warnings"),
	}
}

// statsSchema returns the body of GET /api/stats.
func statsSchema() object {
	milliseconds := object{"type": "number", "minimum": 0}
	return record(object{
		"connections":              countSchema,
		"connections_by_transport": countsByName,
		"connections_by_role":      countsByName,
		"views":                    countSchema,
		"events_total":             countSchema,
		"deliveries_total":         countSchema,
		"started":                  timeSchema,
		"events_per_minute":        array(countSchema),
		"events_by_type":           countsByName,
		"delivery_ms": record(object{
			"p50":    milliseconds,
			"p95":    milliseconds,
			"p99":    milliseconds,
			"writes": countSchema,
		}),
		"published":               countsByName,
		"pushes":                  countsByName,
		"gaps":                    countSchema,
		"slow":                    countSchema,
		"memory_bytes":            countSchema,
		"connection_memory_bytes": countSchema,
		"log_healthy":             booleanSchema,
		"log_oldest":              countSchema,
		"log_newest":              countSchema,
		"open": array(record(object{
			"id":        textSchema,
			"actor":     textSchema,
			"roles":     textSchema,
			"transport": textSchema,
			"since":     timeSchema,
			"lag_bytes": countSchema,
		})),
	})
}

// sessionSchemas returns the bodies about users and tokens.
func sessionSchemas() object {
	user := record(object{
		"id":       textSchema,
		"name":     textSchema,
		"roles":    list(access.Roles),
		"employee": countSchema,
		"tenant":   textSchema,
	}, "employee", "tenant")
	return object{
		"Session": record(object{
			"user":    object{"oneOf": []object{{"type": "null"}, user}},
			"grant":   textSchema,
			"users":   array(textSchema),
			"sign_in": object{"enum": []string{"name", "password", "provider"}},
			"warning": record(object{"code": textSchema, "title": textSchema, "detail": textSchema}),
		}, "grant", "warning"),
		"Token": record(object{
			"token":   textSchema,
			"user":    textSchema,
			"roles":   list(access.Roles),
			"expires": timeSchema,
		}),
	}
}

// pushSchemas returns the bodies about devices and preferences.
func pushSchemas() object {
	clock := object{"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
	return object{
		"PushKey": record(object{"key": textSchema}),
		"Device": record(object{
			"id":      textSchema,
			"name":    textSchema,
			"created": timeSchema,
			"failing": record(object{"since": timeSchema, "status": countSchema}),
		}, "failing"),
		"Devices": record(object{"devices": array(ref("Device"))}),
		"Subscription": record(object{
			"endpoint": object{"type": "string", "format": "uri"},
			"keys":     record(object{"p256dh": textSchema, "auth": textSchema}),
			"name":     object{"type": "string", "maxLength": 80},
			"replaces": textSchema,
		}, "name", "replaces"),
		"Preferences": record(object{
			"muted": list(event.Types),
			"push":  list(event.Types),
			"quiet": record(object{"from": clock, "to": clock, "zone": textSchema}),
		}, "quiet"),
	}
}

// frameSchemas returns the frames of a stream that are no events.
func frameSchemas() object {
	reasons := []wire.Reason{
		wire.ByeRetry, wire.ByeSlow, wire.ByeDrain, wire.ByeRegrant, wire.ByeSignedOut, wire.ByeExpired, wire.ByeStop,
	}
	return object{
		"Hello": record(object{
			"epoch":        textSchema,
			"head":         ref("Cursor"),
			"oldest":       ref("Cursor"),
			"heartbeat_ms": countSchema,
			"retry_ms":     countSchema,
			"connection":   textSchema,
			"grant":        textSchema,
		}),
		"Gap": record(object{"from": ref("Cursor"), "to": ref("Cursor")}),
		"Bye": record(object{"reason": object{"enum": reasons}, "delay_ms": countSchema}),
	}
}

// addTypeSchemas adds the schemas of all event types for a use, and one named anyName
// that matches any of them.
func addTypeSchemas(into object, use Use, anyName string) {
	var refs []object
	mapping := object{}
	for _, t := range event.Types {
		name := typeName(t, use)
		into[name] = eventObject(t, use)
		refs = append(refs, ref(name))
		mapping[string(t)] = "#/components/schemas/" + name
	}
	into[anyName] = object{
		"oneOf":         refs,
		"discriminator": object{"propertyName": "type", "mapping": mapping},
	}
}
