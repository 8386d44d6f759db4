package httpapi

import (
	"net/http"
	"sync"

	"github.com/snd-rental/yardline/broker/schema"
	"github.com/snd-rental/yardline/shared/event"
)

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
		use = schema.Publish
	case schema.Publish, schema.Read:
	default:
		a.refuse(w, r, badParameter("for", "publish or read"))
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Write(schema.Event(t, use))
}
