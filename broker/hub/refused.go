package hub

import (
	"errors"
	"fmt"

	"github.com/snd-rental/yardline/shared/event"
)

// A RefusedError names the fields for which valid events were refused, by
// pointers as those of an *event.Problem.
type RefusedError struct {
	Err    error // ErrForbidden, ErrOwner or eventlog.ErrConflict
	Fields []event.FieldError
}

// Error lists the fields.
func (r *RefusedError) Error() string {
	text := r.Err.Error()
	for _, f := range r.Fields {
		text += "; " + f.Pointer
	}
	return text
}

// Unwrap returns why they were refused.
func (r *RefusedError) Unwrap() error { return r.Err }

func refuse(err error, pointer, code, expected string) *RefusedError {
	return &RefusedError{err, event.Refuse(pointer, code, expected).Fields}
}

// idTaken refuses an id that stands for another event.
func idConflict(err error) *RefusedError {
	return refuse(err, "/id", "conflict", "an id that was not used for other content")
}

// and adds the refusal of one event of a batch. Those for the first reason
// alone are kept: a refusal has one reason.
func (r *RefusedError) addEvent(place int, err error) *RefusedError {
	var one *RefusedError
	if !errors.As(err, &one) {
		one = &RefusedError{Err: err, Fields: []event.FieldError{{}}}
	}
	if r == nil {
		r = &RefusedError{Err: one.Err}
	}
	if !errors.Is(one.Err, r.Err) {
		return r
	}
	for _, f := range one.Fields {
		f.Pointer = fmt.Sprintf("/%d%s", place, f.Pointer)
		r.Fields = append(r.Fields, f)
	}
	return r
}

// err is r as an error, nil where nothing was refused.
func (r *RefusedError) orNil() error {
	if r == nil {
		return nil
	}
	return r
}
