package browser

import (
	"fmt"
	"syscall/js"
)

// Attempt runs code that uses features which a browser may lack or forbid. It
// returns an exception of JavaScript as an error.
func Attempt(use func()) (err error) {
	defer thrown(&err)
	use()
	return nil
}

// thrown turns an exception of JavaScript into an error. The caller must defer it.
func thrown(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("browser: %v", r)
	}
}

// Property returns a property of an object. It returns undefined when the browser
// forbids the property, such as localStorage with blocked cookies. Value.Get would
// end the program then: unlike a call, it does not catch exceptions of a getter.
func Property(object js.Value, name string) (value js.Value) {
	_ = Attempt(func() { value = js.Global().Get("Reflect").Call("get", object, name) })
	return value
}
