package schema

import (
	"maps"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// keys are the names of an object in order.
func keys(o object) []string { return slices.Sorted(maps.Keys(o)) }

// AsyncAPI describes the streams, by AsyncAPI 3.0: what comes over Server-Sent
// Events and over a WebSocket, and what a WebSocket takes.
func AsyncAPI() []byte {
	schemas := components()
	for name := range schemas { // AsyncAPI has another notion of a discriminator
		if s, ok := schemas[name].(object); ok {
			delete(s, "discriminator")
		}
	}
	literal := func(value string) object { return object{"const": value} }
	line := func(name string, properties object) object {
		properties["event"] = literal(name)
		return object{"type": "object", "properties": properties, "required": append([]string{"event"}, keys(without(properties, "event", "ref"))...)}
	}
	str := object{"type": "string"}
	schemas["LineHeartbeat"] = object{"type": "object", "properties": object{"id": ref("Cursor")}, "required": []string{"id"}, "additionalProperties": false}
	schemas["LineHello"] = line("hello", object{"id": ref("Cursor"), "data": ref("Hello")})
	schemas["LineGap"] = line("gap", object{"id": ref("Cursor"), "data": ref("Gap")})
	schemas["LineBye"] = line("bye", object{"data": ref("Bye")})
	schemas["LineFilter"] = line("filter", object{"id": ref("Cursor"), "ref": str, "data": object{"type": "object", "properties": object{"filter": str}, "required": []string{"filter"}}})
	schemas["LinePong"] = line("pong", object{"ref": str})
	schemas["LinePublished"] = line("published", object{"ref": str, "data": ref("Receipt")})
	schemas["LineRefused"] = line("refused", object{"ref": str, "data": ref("Problem")})
	call := func(name string, properties object, required ...string) object {
		properties["call"], properties["ref"] = literal(name), object{"type": "string", "maxLength": 64}
		return object{"type": "object", "properties": properties, "required": append([]string{"call"}, required...), "additionalProperties": false}
	}
	schemas["CallAuth"] = call(wire.CallAuth, object{"token": str}, "token")
	schemas["CallFilter"] = call(wire.CallFilter, object{"filter": str})
	schemas["CallPublish"] = call(wire.CallPublish, object{"event": ref("Publication"), "strict": object{"type": "boolean"}}, "event")
	schemas["CallPing"] = call(wire.CallPing, object{})

	messages, sse, lines, calls := object{}, object{}, object{}, object{}
	add := func(channel object, name, media, schema string) {
		messages[name] = object{"name": name, "contentType": media, "payload": ref(schema)}
		channel[name] = object{"$ref": "#/components/messages/" + name}
	}
	for _, name := range []string{"Hello", "Gap", "Bye"} {
		add(sse, name, mediaJSON, name)
	}
	for _, t := range event.Types {
		add(sse, string(t), mediaJSON, typeName(t, ForReaders))
		name := "Line" + typeName(t, ForReaders)
		schemas[name] = line(string(t), object{"id": ref("Cursor"), "data": ref(typeName(t, ForReaders))})
		add(lines, name, mediaJSON, name)
	}
	for _, name := range []string{"Heartbeat", "Hello", "Gap", "Bye", "Filter", "Pong", "Published", "Refused"} {
		add(lines, "Line"+name, mediaJSON, "Line"+name)
	}
	for _, name := range []string{"CallAuth", "CallFilter", "CallPublish", "CallPing"} {
		add(calls, name, mediaJSON, name)
	}
	both := maps.Clone(lines)
	maps.Copy(both, calls)
	operation := func(action, channel string, of object) object {
		var all []object
		for _, name := range keys(of) {
			all = append(all, object{"$ref": "#/channels/" + channel + "/messages/" + name})
		}
		return object{"action": action, "channel": object{"$ref": "#/channels/" + channel}, "messages": all}
	}
	return encode(object{
		"asyncapi": "3.0.0",
		"info": object{"title": "Yardline", "version": "1", "description": "The streams of a broker. Over Server-Sent Events a message is a block, named by its event; over a WebSocket a text message holds one or more lines of JSON.",
			"license": object{"name": "Apache-2.0"}},
		"defaultContentType": mediaJSON,
		"channels": object{
			"sse":       object{"address": "/api/sse", "description": "Server-Sent Events.", "messages": sse},
			"websocket": object{"address": "/api/ws", "description": "A WebSocket with the subprotocol " + wire.Subprotocol + ".", "messages": both},
		},
		"operations": object{
			"stream": operation("send", "sse", sse), "streamLines": operation("send", "websocket", lines), "call": operation("receive", "websocket", calls),
		},
		"components": object{"schemas": schemas, "messages": messages},
	})
}

// without is an object less some names.
func without(o object, names ...string) object {
	o = maps.Clone(o)
	for _, name := range names {
		delete(o, name)
	}
	return o
}
