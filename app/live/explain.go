package live

import (
	"errors"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient"
)

// Explain returns what an error means to the user: what happened, what to do, and a code to quote.
func Explain(err error) string {
	var refused *wasmclient.Error
	if errors.As(err, &refused) {
		return refused.Sentence()
	}
	return text.Of("failed.network")
}
