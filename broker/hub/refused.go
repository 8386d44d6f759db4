package hub

import (
	"errors"
	"fmt"

	"github.com/snd-rental/yardline/shared/event"
)

// A RefusedError means that valid events were refused because of some of their
// fields.
type RefusedError struct {
	// Err is the reason: ErrForbidden, ErrOwner, eventlog.ErrConflict, or
	// another error of the check.
	Err error
	// Fields are the fields, with pointers like those of an *event.Problem.
	Fields []event.FieldError
}

// Error returns the reason and the pointers of the fields.
func (r *RefusedError) Error() string {
	text := r.Err.Error()
	for _, f := range r.Fields {
		text += "; " + f.Pointer
	}
	return text
}

// Unwrap returns Err.
func (r *RefusedError) Unwrap() error { return r.Err }

// refuse returns a RefusedError for one field.
func refuse(err error, pointer, code, expected string) *RefusedError {
	return &RefusedError{err, event.Refuse(pointer, code, expected).Fields}
}

// idConflict returns a RefusedError for an id that another event has.
func idConflict(err error) *RefusedError {
	return refuse(err, "/id", "conflict", "an id that was not used for other content")
}

// addEvent adds the error of the event at index in a batch, and returns the
// result. r may be nil. A RefusedError has one reason, so addEvent ignores an
// error with another reason than the first one.
func (r *RefusedError) addEvent(index int, err error) *RefusedError {
	var added *RefusedError
	if !errors.As(err, &added) {
		added = &RefusedError{Err: err, Fields: []event.FieldError{{}}}
	}
	if r == nil {
		r = &RefusedError{Err: added.Err}
	}
	if !errors.Is(added.Err, r.Err) {
		return r
	}
	for _, f := range added.Fields {
		f.Pointer = fmt.Sprintf("/%d%s", index, f.Pointer)
		r.Fields = append(r.Fields, f)
	}
	return r
}

// orNil returns r as an error, and a nil error when r is nil.
func (r *RefusedError) orNil() error {
	if r == nil {
		return nil
	}
	return r
}
