package loop_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// Something between client and broker answers with 200. That signs nobody out, and nothing counts as sent.
func TestPortalsAnswerIsNoAnswerOfTheAPI(t *testing.T) {
	for name, answer := range map[string]port.Response{
		"a page":            {Status: 200, ContentType: "text/html", Body: []byte("<html>sign in to this hotel")},
		"a page for JSON":   {Status: 200, ContentType: "application/json", Body: []byte("<html>")},
		"JSON":              {Status: 200, ContentType: "application/json", Body: []byte("{}")},
		"a null":            {Status: 200, ContentType: "application/json", Body: []byte("null")},
		"a session of none": {Status: 200, ContentType: "application/json", Body: []byte(`{"user":null}`)},
		"no content":        {Status: 204},
		"a redirect":        {Status: 302},
		"a refusal": {Status: 401, ContentType: "application/json",
			Body: []byte(`{"code":"sign_in_required"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			b := fake.New(manager)
			b.Refuse(&answer)
			api, ctx := wasmclient.API{Transport: b}, t.Context()
			for call, do := range map[string]func() error{
				"session":  func() error { _, err := api.Session(ctx); return err },
				"sign in":  func() error { _, err := api.SignIn(ctx, "ann", ""); return err },
				"snapshot": func() error { _, err := api.Snapshot(ctx); return err },
				"publish": func() error {
					_, err := api.Publish(ctx,
						event.Example(event.TypeSyncProgress))
					return err
				},
				"raw":      func() error { _, err := api.PublishJSON(ctx, []byte("{}")); return err },
				"history":  func() error { _, err := api.History(ctx, filter.Filter{}, wire.Cursor{}, 1); return err },
				"devices":  func() error { _, _, err := api.Devices(ctx); return err },
				"push key": func() error { _, err := api.PushKey(ctx); return err },
			} {
				err := do()
				require.Error(t, err, call)
				var refused *port.Error
				if !errors.As(err, &refused) {
					require.ErrorIs(t, err, port.ErrNotBroker, call)
				} else {
					require.False(t, refused.FromBroker, call)
				}
			}
			if answer.ContentType == "text/html" || answer.Status != 200 && answer.Status != 204 {
				require.Error(t, api.SignOut(ctx))
			}
		})
	}
}
