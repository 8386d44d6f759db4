//go:build !js

package httpapi

import (
	"net/http"
	"sync"

	"github.com/snd-rental/yardline/broker/schema"
	"github.com/snd-rental/yardline/shared/event"
)

// documentRoutes returns the routes of the documents that describe the API.
func (a *API) documentRoutes() []route {
	return []route{
		{"GET", "/api/schema/{type}", a.handleGetSchema},
		{"GET", "/api/openapi.json", serveDocument("application/json", openAPI)},
		{"GET", "/api/asyncapi.json", serveDocument("application/json", asyncAPI)},
		{"GET", "/api/types.d.ts", serveDocument("application/typescript", typeScript)},
	}
}

// The documents are the same for everybody and contain no data, so their routes need no
// authentication.
var (
	openAPI    = sync.OnceValue(schema.OpenAPI)
	asyncAPI   = sync.OnceValue(schema.AsyncAPI)
	typeScript = sync.OnceValue(schema.TypeScript)
)

// serveDocument returns a handler that answers with a document of a media type.
func serveDocument(media string, text func() []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Write(text())
	}
}

// handleGetSchema is GET /api/schema/{type}. It answers with the JSON Schema of a type of
// event, as publishers send it or as readers receive it.
func (a *API) handleGetSchema(w http.ResponseWriter, r *http.Request) {
	t := event.Type(r.PathValue("type"))
	if !t.Known() {
		a.refuseNotFound(w, r)
		return
	}
	use := schema.Use(r.URL.Query().Get("for"))
	switch use {
	case "":
		use = schema.ForPublishers
	case schema.ForPublishers, schema.ForReaders:
	default:
		a.Refuse(w, r, invalidParameter("for", "publish or read"))
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Write(schema.EventSchema(t, use))
}
