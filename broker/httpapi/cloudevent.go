package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/shared/event"
)

// idempotencyKey is the header that gives an event its id when the body has none (IETF
// draft httpapi-idempotency-key-header).
const idempotencyKey = "Idempotency-Key"

// attributePrefix begins the headers that are attributes of a CloudEvent in binary mode
// (CloudEvents HTTP binding 1.0.2, section 3.1).
const attributePrefix = "Ce-"

// singleEvent returns the event of a request as event.Parse reads it. The request may be
// a short or structured event, or a CloudEvent in binary mode, and may name the event by
// Idempotency-Key. singleEvent only puts the parts together; event.Parse validates them.
func singleEvent(h http.Header, media string, body []byte) ([]byte, error) {
	key := h.Get(idempotencyKey)
	if isQuoted := len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"'; isQuoted {
		key = key[1 : len(key)-1] // a string of RFC 9651, as the draft writes it
	}
	binary := media == mediaJSON && h.Get(attributePrefix+"Specversion") != ""
	if media == mediaJSON && !binary && len(attributeNames(h)) > 0 {
		return nil, event.Refuse("/specversion", event.CodeRequired,
			"the header Ce-Specversion: 1.0 with the others of a binary CloudEvent, or no Ce- header at all")
	}
	if !binary && key == "" {
		return body, nil
	}
	var envelope event.Object
	var err error
	if binary {
		envelope, err = parseBinaryEvent(h, body)
	} else {
		envelope, err = event.ParseEnvelope(body)
	}
	if err != nil {
		return nil, err
	}
	if key != "" {
		if envelope.Has("id") && envelope.Text("id") != key {
			return nil, event.Refuse("/id", event.CodeConflict, "the same as the "+idempotencyKey+", or none")
		}
		envelope = envelope.With("id", jsonString(key))
	}
	return envelope.AppendJSON(nil), nil
}

// attributeNames returns the names of the headers that are attributes, sorted.
func attributeNames(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, attributePrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// parseBinaryEvent returns the envelope of a CloudEvent in binary mode. Its attributes are
// headers, and the body is its data.
func parseBinaryEvent(h http.Header, body []byte) (event.Object, error) {
	if !json.Valid(body) {
		return nil, event.Refuse("/data", event.CodeJSON, "valid JSON")
	}
	var envelope event.Object
	for _, name := range attributeNames(h) {
		attribute := strings.ToLower(strings.TrimPrefix(name, attributePrefix))
		value, err := url.PathUnescape(h.Get(name))
		if err != nil || len(h[name]) > 1 {
			return nil, event.Refuse("/"+attribute, event.CodeFormat,
				"one value, percent-encoded where it is not plain")
		}
		if attribute == "data" {
			continue // only the body is the data
		}
		envelope = append(envelope, event.Field{Name: attribute, Raw: jsonString(value)})
	}
	return append(envelope, event.Field{Name: "data", Raw: body}), nil
}

// jsonString returns s as a JSON string.
func jsonString(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string always marshals
	return raw
}
