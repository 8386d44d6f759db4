package live

import (
	"errors"
	"strings"

	"github.com/snd-rental/yardline/wasmclient"
)

// Explain says in words what an error means to the user: what happened, what
// to do, and a code to quote.
func Explain(err error) string {
	var refused *wasmclient.Error
	if !errors.As(err, &refused) {
		return "The broker cannot be reached. Check your connection and try again. (network)"
	}
	text := refused.Title + "."
	for _, f := range refused.Fields {
		text += " " + strings.TrimPrefix(f.Pointer, "/data/") + ": expected " + f.Expected + "."
	}
	if len(refused.Fields) == 0 && refused.Detail != "" {
		text += " " + refused.Detail
	}
	return text + " (" + refused.Code + ")"
}
