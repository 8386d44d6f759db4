package schema

import (
	"maps"
	"slices"

	"github.com/snd-rental/yardline/shared/problem"
)

const (
	mediaJSON    = "application/json"
	mediaProblem = problem.MediaType
	mediaStream  = "text/event-stream"
)

// OpenAPI returns the OpenAPI 3.1 document of the HTTP API.
func OpenAPI() []byte {
	return encode(object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Yardline",
			"version": "1",
			"description": "Live events for equipment-rental companies. " +
				"See docs/protocol.md for what a stream holds.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"security": []object{{"bearer": []string{}}, {"session": []string{}}},
		"paths":    paths(),
		"components": object{
			"schemas": components(),
			"securitySchemes": object{
				"bearer": object{"type": "http", "scheme": "bearer"},
				"session": object{
					"type":        "apiKey",
					"in":          "cookie",
					"name":        "yardline_session_ID",
					"description": "ID is that of the installation.",
				},
			},
		},
	})
}

// ref returns a reference to a schema of components.
func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// content returns an object whose only content has this media type and schema.
func content(media string, schema object) object {
	return object{"content": object{media: object{"schema": schema}}}
}

// answer returns a response. Without a schema it has no body.
func answer(description, media string, schema object) object {
	a := object{"description": description}
	if schema != nil {
		maps.Copy(a, content(media, schema))
	}
	return a
}

// answerOK returns the responses of an operation that answers 200 with a body of JSON.
func answerOK(schema object) object { return object{"200": answer("Done.", mediaJSON, schema)} }

// answerCreated returns the responses of an operation that answers 201 with a body of
// JSON.
func answerCreated(description string, schema object) object {
	return object{"201": answer(description, mediaJSON, schema)}
}

// answerText returns the responses of an operation that answers 200 with a body of
// another media type than JSON.
func answerText(description, media string) object {
	return object{"200": answer(description, media, object{"type": "string"})}
}

// answerEmpty returns the responses of an operation that answers 204 without a body.
func answerEmpty(description string) object { return object{"204": answer(description, "", nil)} }

// operation returns one method of a path. refusals lists the statuses with which the
// broker answers a problem document.
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

// withoutSignIn marks an operation that needs no credential.
func withoutSignIn(operation object) object {
	operation["security"] = []object{{}}
	return operation
}

// withBody adds the required JSON body of an operation.
func withBody(operation, schema object) object {
	operation["requestBody"] = object{
		"required": true,
		"content":  object{mediaJSON: object{"schema": schema}},
	}
	return operation
}

// parameter returns a parameter of a query or a header.
func parameter(in, name, description string, schema object) object {
	return object{"name": name, "in": in, "description": description, "schema": schema}
}

// pathParameter returns a parameter of a path.
func pathParameter(name, description string, schema object) object {
	p := parameter("path", name, description, schema)
	p["required"] = true
	return p
}

// commaList returns a parameter of a query that holds a list, separated by commas.
func commaList(name, description string, items object) object {
	p := parameter("query", name, description, items)
	p["style"], p["explode"] = "form", false
	return p
}

// list returns the schema of a list of these names.
func list[T ~string](names []T) object {
	return object{"type": "array", "items": object{"enum": names}}
}

// integer returns the schema of an integer with bounds.
func integer(least, most int) object {
	return object{"type": "integer", "minimum": least, "maximum": most}
}

// record returns the schema of an object. All properties are required except
// the optional ones.
func record(properties object, optional ...string) object {
	var required []string
	for _, name := range keys(properties) {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}
