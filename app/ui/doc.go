// Package ui holds the controls of the app: functions that turn values into elements.
//
// # Usage
//
// A control is a function, or a struct with exported fields and a method that renders it. A page builds it anew for
// every render:
//
//	feed := ui.Feed{Events: events, Grant: grant, Now: now, Open: showEvent}
//	card := ui.Card("feed-card", "feed", text.Of("feed"), feed.All())
//
// [El], [TextEl], [Button], [Link], [Card] and [Field] make single elements. [Each] makes a list of elements. [If] and
// [Slot] make an element that is not always there.
//
// Larger controls are [Feed], [Drawer], [Figures], [Form], [Item], [Outbox], [Plan], [Status], [Table] and [Toasts].
//
// # Guarantees
//
// A control keeps no state and starts no goroutine. It reports every action of the user to a callback that its caller
// passes to it.
//
// A control does not change the values that it shows.
//
// No control sets a style attribute, because the content security policy blocks it. Controls set classes, and the style
// sheets in app/web/styles define them.
//
// # Positions and event scopes
//
// go-app identifies elements by their position among the children of their parent, and by their tag. An element that
// comes and goes with [If] therefore moves the elements after it, and they lose their focus and their typed text.
// [Slot] keeps a place for such an element. [Keyed] ties an element to the thing that it shows.
//
// go-app keeps an event handler of an earlier render if both handlers have the same event scope. Every handler that a
// loop makes needs a scope of its own (app.EventScope).
//
// # Concurrency
//
// Only the UI goroutine calls the functions of this package.
package ui
