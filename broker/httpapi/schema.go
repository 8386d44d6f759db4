//go:build !js

package httpapi

import (
	"net/http"
	"sync"

	"github.com/snd-rental/yardline/broker/schema"
	"github.com/snd-rental/yardline/shared/event"
)

// described are the routes that say what the API is.
func (a *API) described() []route {
	return []route{
		{"GET", "/api/schema/{type}", a.typeSchema},
		{"GET", "/api/openapi.json", describes("application/json", openAPI)},
		{"GET", "/api/asyncapi.json", describes("application/json", asyncAPI)},
		{"GET", "/api/types.d.ts", describes("application/typescript", typeScript)},
	}
}

// The descriptions are the same for everybody, and hold nothing of anybody.
var (
	openAPI    = sync.OnceValue(schema.OpenAPI)
	asyncAPI   = sync.OnceValue(schema.AsyncAPI)
	typeScript = sync.OnceValue(schema.TypeScript)
)

func describes(media string, text func() []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Write(text())
	}
}

// typeSchema is GET /api/schema/{type}.
func (a *API) typeSchema(w http.ResponseWriter, r *http.Request) {
	t := event.Type(r.PathValue("type"))
	if !t.Known() {
		a.unknown(w, r)
		return
	}
	use := schema.Use(r.URL.Query().Get("for"))
	switch use {
	case "":
		use = schema.ForPublishers
	case schema.ForPublishers, schema.ForReaders:
	default:
		a.Refuse(w, r, badParameter("for", "publish or read"))
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Write(schema.EventSchema(t, use))
}
