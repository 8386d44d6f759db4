package live

import (
	"errors"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient"
)

// Explain explains an error to the user. The text names the fault, the remedy, and a code to quote.
func Explain(err error) string {
	var refused *wasmclient.Error
	if errors.As(err, &refused) {
		return refused.Sentence()
	}
	return text.Of("failed.network")
}
