package pages

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/store"
)

func TestRefusalOfTheBrokerIsNoOutage(t *testing.T) {
	for status, want := range map[int]bool{401: true, 403: true, 429: true, 502: false, 503: false} {
		require.Equal(t, want, isRefusal(&wasmclient.Error{Status: status, FromBroker: true}), status)
		require.False(t, isRefusal(&wasmclient.Error{Status: status}), "a proxy's %d", status)
	}
	require.False(t, isRefusal(context.DeadlineExceeded))
}

func TestCSVFollowsTheUsersDecimalSign(t *testing.T) {
	rental := made(t, event.TypeRentalStatusUpdated, map[string]any{
		"rental_id": 4, "status": "active", "customer": `=1+1, "Ann"`, "notes": "-5",
	})
	require.Equal(t, "\ufefftime,type,severity,subject,id,cursor,actor,customer,notes,rental_id,status\r\n"+
		"2026-11-23T12:00:00Z,rental_status_updated,info,rental/4,id,,,\"'=1+1, \"\"Ann\"\"\",-5,4,active\r\n",
		asCSV([]store.Received{{Event: rental.Stamp("id", at)}}, false))
	paid := made(t, event.TypePaymentReceived, map[string]any{
		"rental_id": 4, "amount": 10.05, "payment_method": "cash", "invoice_number": "10.05",
	})
	require.Equal(t, "\ufefftime;type;severity;subject;id;cursor;actor;amount;invoice_number;payment_method;"+
		"rental_id\r\n2026-11-23T12:00:00Z;payment_received;success;rental/4;id;;;\"10,05\";10.05;cash;4\r\n",
		asCSV([]store.Received{{Event: paid.Stamp("id", at)}}, true), "decimal commas, and no day in May")
}

func TestCSVCellIsNoFormula(t *testing.T) {
	for value, want := range map[string]string{
		"-5":            "-5",
		"-1,5":          `"-1,5"`,
		"-5+cmd":        "'-5+cmd",
		"+49 30":        "'+49 30",
		" =1":           "' =1",
		"\t=1":          "'\t=1",
		"\n@x":          "\"'\n@x\"",
		"＝1":            "'＝1",
		"a;b":           `"a;b"`,
		"":              "",
		"Müller – Łódź": "Müller – Łódź",
		"\ufeff=1":      "'\ufeff=1",
	} {
		require.Equal(t, want, csvCell(value), "%q", value)
	}
}
