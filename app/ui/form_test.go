package ui

import (
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
)

// problemOfEmpty returns the problem of an event without fields.
func problemOfEmpty(t *testing.T, typ event.Type) *event.Problem {
	t.Helper()
	_, err := event.New(typ, map[string]any{})
	var problem *event.Problem
	require.ErrorAs(t, err, &problem, typ)
	return problem
}

func TestFormHasALabelledControlForEachField(t *testing.T) {
	send := func() {}
	for _, typ := range event.Types {
		form := Form{ID: "f", Type: typ, Problem: problemOfEmpty(t, typ), Action: "Go", Send: send}
		markup := html(form.Render())
		for _, f := range event.Fields(typ) {
			requireParts(t, markup, `id="f-`+f.Name+`"`, `for="f-`+f.Name+`"`)
		}
		require.Contains(t, markup, `role="alert"`, typ)
	}
	problem := problemOfEmpty(t, event.TypePaymentReceived)
	withProblem := Form{ID: "f", Type: event.TypePaymentReceived, Problem: problem, Send: send}
	require.NotRegexp(t, `f-amount-hint"[^>]*>[^<]`, html(withProblem.Render()), "the problem replaces the hint")

	fixed := Form{ID: "f", Type: event.TypeMaintenanceRequired, Fixed: []string{"equipment_name"}, Send: send}
	fixed.Cancel = func() {}
	markup := html(fixed.Render())
	require.NotContains(t, markup, "f-equipment_name")
	require.Contains(t, markup, "Cancel")
}

func TestTypedTextBecomesJSONOfTheField(t *testing.T) {
	for _, c := range []struct {
		typ         event.Type
		field       string
		typed, want string
	}{
		{event.TypePaymentReceived, "amount", "12,50", "12.50"},
		{event.TypePaymentReceived, "amount", "1.5x", `"1.5x"`},
		{event.TypeRentalStatusUpdated, "equipment_ids", "7, 9", "[7, 9]"},
		{event.TypeSystemNotification, "audience", "yard, hr", `["yard","hr"]`},
		{event.TypePaymentReceived, "payment_id", "77", "77"},
		{event.TypePaymentReceived, "payment_id", "P-7", `"P-7"`},
		{event.TypeRentalStatusUpdated, "customer", "Ann", `"Ann"`},
	} {
		spec, _ := event.Spec(c.typ, c.field)
		require.Equal(t, c.want, string(encode(spec, c.typed)), "%s of %s", c.field, c.typ)
	}
}

func TestSelectMarksTheSelectedOption(t *testing.T) {
	markup := html(Select("c", "Theme", []Option{{"", "System"}, {"dark", "Dark"}}, "dark", nil))
	requireParts(t, markup, `for="c"`, "Theme", `value="-"`, "System")
	require.Equal(t, 1, strings.Count(markup, " selected")-strings.Count(markup, ` selected="false"`))
}

func TestCheckboxHasItsStateAndALabel(t *testing.T) {
	ignore := func(bool) {}
	on := html(CheckField("c", "Shortcuts", true, ignore))
	requireParts(t, on, `for="c"`, "Shortcuts", `type="checkbox"`)
	require.Regexp(t, ` checked[ >]`, on)
	off := html(HiddenLabelCheckbox("c", "Toast for payments", false, ignore))
	requireParts(t, off, `class="visually-hidden"`, "Toast for payments")
	require.NotRegexp(t, ` checked[ >]`, off)
}

func TestFormAndButtonsSubmitOnlyWhenAsked(t *testing.T) {
	require.Contains(t, html(Submit("", app.Text(""))), `method="dialog"`)
	require.Contains(t, html(Button("", "Go")), `type="button"`)
	require.Contains(t, html(SmallButton("Go", func() {})), `type="button"`)
	require.Contains(t, html(SubmitButton("Go")), `type="submit"`)
}
