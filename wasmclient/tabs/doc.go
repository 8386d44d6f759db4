// Package tabs lets all tabs of a browser share one connection, as pure
// machines: they have no clock, no lock and no channel, and return what is to be
// done with those.
//
//   - Member elects the tab that leads, by a lock that one tab holds; watches
//     that the leader answers; and tells when every tab is hidden.
//   - Relay is the leading tab's part: it numbers what its connection delivers,
//     and keeps the last of it for tabs that come or come back.
//   - Reader is the following tab's part: it asks for what comes after its
//     place, notices what it missed, and says when it must ask again.
//
// A follower is to the leader what a client is to the broker: it names a cursor
// and gets what follows. So a hand-over is a resumption, whatever happened to
// the tab that led: closed, crashed, frozen, in the back/forward cache, robbed of
// its lock. What a relay no longer has a follower reads from the broker's
// history.
package tabs
