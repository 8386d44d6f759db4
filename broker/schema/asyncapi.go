package schema

import (
	"maps"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// keys returns the names of an object's properties in order.
func keys(o object) []string { return slices.Sorted(maps.Keys(o)) }

// without returns a copy of an object without some names.
func without(o object, names ...string) object {
	o = maps.Clone(o)
	for _, name := range names {
		delete(o, name)
	}
	return o
}

// AsyncAPI returns the AsyncAPI 3.0 document of the streams: the messages that the
// broker sends over Server-Sent Events and over a WebSocket, and those that a client
// sends over a WebSocket.
func AsyncAPI() []byte {
	schemas := components()
	for name := range schemas { // A discriminator means something else in AsyncAPI.
		if s, ok := schemas[name].(object); ok {
			delete(s, "discriminator")
		}
	}
	maps.Copy(schemas, lineSchemas())
	maps.Copy(schemas, callSchemas())

	messages, sse, lines, calls := object{}, object{}, object{}, object{}
	add := func(channel object, name, schema string) {
		messages[name] = object{"name": name, "contentType": mediaJSON, "payload": ref(schema)}
		channel[name] = object{"$ref": "#/components/messages/" + name}
	}
	for _, name := range []string{"Hello", "Gap", "Bye"} {
		add(sse, name, name)
	}
	for _, t := range event.Types {
		add(sse, string(t), typeName(t, ForReaders))
		name := "Line" + typeName(t, ForReaders)
		add(lines, name, name)
	}
	for _, name := range []string{"Heartbeat", "Hello", "Gap", "Bye", "Filter", "Pong", "Published", "Refused"} {
		add(lines, "Line"+name, "Line"+name)
	}
	for _, name := range []string{"CallAuth", "CallFilter", "CallPublish", "CallPing"} {
		add(calls, name, name)
	}
	return encode(object{
		"asyncapi":           "3.0.0",
		"info":               asyncAPIInfo,
		"defaultContentType": mediaJSON,
		"channels":           channels(sse, lines, calls),
		"operations": object{
			"stream":      channelOperation("send", "sse", sse),
			"streamLines": channelOperation("send", "websocket", lines),
			"call":        channelOperation("receive", "websocket", calls),
		},
		"components": object{"schemas": schemas, "messages": messages},
	})
}

var asyncAPIInfo = object{
	"title":   "Yardline",
	"version": "1",
	"description": "The streams of a broker. Over Server-Sent Events a message is a block, named by its event; " +
		"over a WebSocket a text message holds one or more lines of JSON.",
	"license": object{"name": "Apache-2.0"},
}

// channels returns the two channels. A WebSocket carries lines to the client and
// calls to the broker.
func channels(sse, lines, calls object) object {
	both := maps.Clone(lines)
	maps.Copy(both, calls)
	return object{
		"sse": object{
			"address":     "/api/sse",
			"description": "Server-Sent Events.",
			"messages":    sse,
		},
		"websocket": object{
			"address":     "/api/ws",
			"description": "A WebSocket with the subprotocol " + wire.Subprotocol + ".",
			"messages":    both,
		},
	}
}

// channelOperation returns an operation with messages of a channel. action is the
// part of the broker: send or receive.
func channelOperation(action, channel string, messages object) object {
	var all []object
	for _, name := range keys(messages) {
		all = append(all, object{"$ref": "#/channels/" + channel + "/messages/" + name})
	}
	return object{
		"action":   action,
		"channel":  object{"$ref": "#/channels/" + channel},
		"messages": all,
	}
}

// lineSchemas returns the schemas of the lines that the broker sends over a
// WebSocket.
func lineSchemas() object {
	line := func(name string, properties object) object {
		properties["event"] = object{"const": name}
		required := append([]string{"event"}, keys(without(properties, "event", "ref"))...)
		return object{"type": "object", "properties": properties, "required": required}
	}
	text := object{"type": "string"}
	filter := object{"type": "object", "properties": object{"filter": text}, "required": []string{"filter"}}
	schemas := object{
		"LineHeartbeat": object{
			"type":                 "object",
			"properties":           object{"id": ref("Cursor")},
			"required":             []string{"id"},
			"additionalProperties": false,
		},
		"LineHello":     line("hello", object{"id": ref("Cursor"), "data": ref("Hello")}),
		"LineGap":       line("gap", object{"id": ref("Cursor"), "data": ref("Gap")}),
		"LineBye":       line("bye", object{"data": ref("Bye")}),
		"LineFilter":    line("filter", object{"id": ref("Cursor"), "ref": text, "data": filter}),
		"LinePong":      line("pong", object{"ref": text}),
		"LinePublished": line("published", object{"ref": text, "data": ref("Receipt")}),
		"LineRefused":   line("refused", object{"ref": text, "data": ref("Problem")}),
	}
	for _, t := range event.Types {
		name := typeName(t, ForReaders)
		schemas["Line"+name] = line(string(t), object{"id": ref("Cursor"), "data": ref(name)})
	}
	return schemas
}

// callSchemas returns the schemas of the calls that a client sends over a WebSocket.
func callSchemas() object {
	call := func(name string, properties object, required ...string) object {
		properties["call"] = object{"const": name}
		properties["ref"] = object{"type": "string", "maxLength": 64}
		return object{
			"type":                 "object",
			"properties":           properties,
			"required":             append([]string{"call"}, required...),
			"additionalProperties": false,
		}
	}
	text := object{"type": "string"}
	publish := object{"event": ref("Publication"), "strict": object{"type": "boolean"}}
	return object{
		"CallAuth":    call(wire.CallAuth, object{"token": text}, "token"),
		"CallFilter":  call(wire.CallFilter, object{"filter": text}),
		"CallPublish": call(wire.CallPublish, publish, "event"),
		"CallPing":    call(wire.CallPing, object{}),
	}
}
