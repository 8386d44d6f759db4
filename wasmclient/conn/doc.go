// Package conn decides how one connection to the broker lives: when to fetch a snapshot, by which
// transport to open a stream, when to try again, and what to show the user meanwhile.
//
// # Usage
//
// A [Machine] is pure: it has no clock, no network and no goroutine. Its driver (the loop of
// package wasmclient) calls [Machine.Step] with an [Input] and the present time, and carries out
// the returned effects in their order. [New] makes a machine that is disconnected; [Start] connects.
// Because a machine is pure, each of its behaviours is a script in testdata.
//
// # Guarantees
//
//   - The machine delivers no event twice, and none before an earlier one of the same log.
//   - It resumes each attempt at the last cursor, so that no event is missed. If the broker no
//     longer has the events after the cursor, the machine delivers a gap, and fetches a snapshot
//     if [Config.Snapshot] asks for one.
//   - It tries again after every failure, except if the broker itself says that no attempt would
//     help: by a problem document with status 401 or 403, or by a bye with reason signed_out or
//     stop. An answer of a proxy is never final.
//   - It keeps the store to one grant: under another grant it starts over from a snapshot.
//   - Whenever it waits for something, it has set an alarm. The exception is a machine that follows
//     a leading tab: the leader has the deadlines.
//
// # Concurrency
//
// A Machine is not safe for concurrent use.
//
// # Phases
//
// An attempt is first fetching (a snapshot, if one is needed), then opening (a stream that has had
// no hello yet), then streaming. Between attempts the machine is waiting. It is idle before
// [Start], after [Stop], [Pause] and [GoneOffline], and after a final answer.
//
// The table has a row for each input and a column for each phase. An entry lists the phases that
// may follow, by their first letters; "-" means that the phase stays. Inputs of attempts that are
// over are ignored.
//
//	                  idle      fetching  opening   streaming waiting
//	Start             F O       -         -         O         F O
//	Stop              -         I         I         I         I
//	Pause             -         I         I         I         I
//	Resume            I F O     -         -         -         -
//	Woke              -         -         -         O S       F O
//	Follow            -         -         -         O S       F O W
//	Lead              -         -         -         O S       F O W
//	Upstream          -         -         -         -         -
//	Reopen            -         -         -         O S       -
//	Online            I F O     -         -         -         F O W
//	GoneOffline       -         I F       I O       I S       I W
//	Snapshot          -         O         -         -         -
//	Frame Hello       -         -         F S W     F S W     -
//	Frame Event       -         -         -         -         -
//	Frame Heartbeat   -         -         -         -         -
//	Frame Gap         -         -         F O W     F S W     -
//	Frame Unreadable  -         -         F O W     F O S W   -
//	Frame Bye         -         -         I O W     I O S W   -
//	Ended             -         I F W     I F O W   I F O S W -
//	Tick              -         W         O W       O S       F O
//
// Where an entry lists several phases, these rules decide:
//
//   - A new attempt begins with F if the machine needs a snapshot, else with O.
//   - A failure leads to W. It leads to I if the broker's answer is final, and to O (or F) at once
//     if the machine tries another transport, or follows and another tab leads now.
//   - A hello or gap that makes the last snapshot useless leads to F, or to W if nothing was
//     delivered since that snapshot.
//   - An input of a trial of a better transport, or of the alarm for one, leaves the phase at S.
//   - A machine that follows another tab ignores [GoneOffline] and [Reopen], in phase S also
//     [Woke]. If the leader does not answer in time, O begins again at once.
//   - [Follow] and [Lead] do nothing if the machine does so already. [Lead] leads to W if the broker
//     has asked the former leader to wait.
package conn
