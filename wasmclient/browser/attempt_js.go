package browser

import (
	"fmt"
	"syscall/js"
)

// Attempt uses what a browser may lack or forbid. What a call of JavaScript throws
// is an error.
func Attempt(use func()) (err error) {
	defer thrown(&err)
	use()
	return nil
}

// thrown makes an error of what JavaScript throws, in a deferred call.
func thrown(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("browser: %v", r)
	}
}

// Property is a property of an object, undefined where the browser forbids it, as
// localStorage where cookies are blocked. Value.Get would end the program: it
// catches nothing that a getter throws, as calls do.
func Property(object js.Value, name string) (value js.Value) {
	_ = Attempt(func() { value = js.Global().Get("Reflect").Call("get", object, name) })
	return value
}
