package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
)

// steps returns every multipleOf within a schema.
func steps(v any) (all []float64) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if n, ok := value.(float64); ok && name == "multipleOf" {
				all = append(all, n)
			}
			all = append(all, steps(value)...)
		}
	case []any:
		for _, value := range v {
			all = append(all, steps(value)...)
		}
	}
	return all
}

// TestNoStepIsInexact fails for a step that is not a power of two, such as 0.01.
// Validators in Python and JavaScript divide a number by its multipleOf in binary, and
// would refuse one amount in seven.
func TestNoStepIsInexact(t *testing.T) {
	documents := [][]byte{OpenAPI(), AsyncAPI()}
	for _, typ := range event.Types {
		documents = append(documents, EventSchema(typ, ForPublishers), EventSchema(typ, ForReaders))
	}
	found := 0
	for _, raw := range documents {
		var doc any
		require.NoError(t, json.Unmarshal(raw, &doc))
		for _, step := range steps(doc) {
			found++
			fraction, _ := math.Frexp(step)
			require.Equal(t, 0.5, fraction, "multipleOf %v", step)
		}
	}
	require.Positive(t, found, "days of leave have one")
}

// TestEveryAmountIsAccepted tries amounts with two and three decimals at the schema
// and at the broker.
func TestEveryAmountIsAccepted(t *testing.T) {
	s := compile(t, EventSchema(event.TypePaymentReceived, ForPublishers))
	for currency, form := range map[string]string{"EUR": "%d.%02d", "KWD": "%d.0%02d"} {
		for cents := 1; cents <= 20_000; cents++ {
			raw := fmt.Appendf(nil, `{"type":"payment_received","data":{"rental_id":1,"payment_method":"cash",`+
				`"currency":%q,"amount":`+form+`}}`,
				currency, cents/100, cents%100)
			_, _, err := event.Parse(raw, event.Rules{Strict: true})
			require.NoError(t, err)
			if cents%37 == 0 { // A sample is enough: the schema has no step for amounts.
				require.NoError(t, validate(t, s, raw))
			}
		}
	}
}

// TestIntegersHaveAFormatOfTheirSize checks that code generators choose a type of 64
// bits for each integer that may need it.
func TestIntegersHaveAFormatOfTheirSize(t *testing.T) {
	var integers func(path string, v any)
	found := 0
	integers = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if maximum, bounded := v["maximum"].(float64); v["type"] == "integer" &&
				(!bounded || maximum > math.MaxInt32) {
				found++
				require.Equal(t, formatInt, v["format"], path)
			}
			for name, value := range v {
				integers(path+"/"+name, value)
			}
		case []any:
			for i, value := range v {
				integers(fmt.Sprint(path, "/", i), value)
			}
		}
	}
	for _, raw := range [][]byte{OpenAPI(), AsyncAPI()} {
		var doc any
		require.NoError(t, json.Unmarshal(raw, &doc))
		integers("", doc)
	}
	require.Greater(t, found, 50)
}
