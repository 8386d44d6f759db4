package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/shared/event"
)

// idempotencyKey names the event where its body does not (IETF draft
// httpapi-idempotency-key-header).
const idempotencyKey = "Idempotency-Key"

// attributePrefix marks the attributes of a CloudEvent in binary mode
// (CloudEvents HTTP binding 1.0.2, section 3.1).
const attributePrefix = "Ce-"

// single is one event in the form that event.Parse reads, whatever form the
// request had. It only brings parts together; Parse judges them.
func single(h http.Header, media string, body []byte) ([]byte, error) {
	key := h.Get(idempotencyKey)
	if quoted := len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"'; quoted {
		key = key[1 : len(key)-1] // a string of RFC 9651, as the draft writes it
	}
	binary := media == mediaJSON && h.Get(attributePrefix+"Specversion") != ""
	if media == mediaJSON && !binary && len(attributeNames(h)) > 0 {
		return nil, event.Refuse("/specversion", "required", "the header Ce-Specversion: 1.0 with the others of a binary CloudEvent, or no Ce- header at all")
	}
	if !binary && key == "" {
		return body, nil
	}
	var envelope event.Object
	var err error
	if binary {
		envelope, err = attributes(h, body)
	} else {
		envelope, err = event.ParseEnvelope(body)
	}
	if err != nil {
		return nil, err
	}
	if key != "" {
		if envelope.Has("id") && envelope.Text("id") != key {
			return nil, event.Refuse("/id", "conflict", "the same as the "+idempotencyKey+", or none")
		}
		envelope = envelope.With("id", quoted(key))
	}
	return envelope.AppendJSON(nil), nil
}

// attributeNames are the headers that are attributes, in order.
func attributeNames(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, attributePrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// attributes reads the headers of a binary CloudEvent; the body is its data.
func attributes(h http.Header, body []byte) (event.Object, error) {
	if !json.Valid(body) {
		return nil, event.Refuse("/data", "json", "valid JSON")
	}
	var o event.Object
	for _, name := range attributeNames(h) {
		attribute := strings.ToLower(strings.TrimPrefix(name, attributePrefix))
		value, err := url.PathUnescape(h.Get(name))
		if err != nil || len(h[name]) > 1 {
			return nil, event.Refuse("/"+attribute, "format", "one value, percent-encoded where it is not plain")
		}
		if attribute == "data" {
			continue // the body alone is the data
		}
		o = append(o, event.Field{Name: attribute, Raw: quoted(value)})
	}
	return append(o, event.Field{Name: "data", Raw: body}), nil
}

func quoted(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string always marshals
	return raw
}
