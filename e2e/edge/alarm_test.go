package edge

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/waittest"
)

// alarmScript is a worker whose object answers with the time of its alarm in place of the program. A request for /alarm
// makes the alarm due at once. PROGRAM stands for more methods of the object.
const alarmScript = `import { Tenant as Original } from "worker.mjs";
export class Tenant extends Original {
  async fetch(request) {
    if (new URL(request.url).pathname === "/alarm") await this.ctx.storage.setAlarm(Date.now());
    return new Response(await this.ctx.storage.getAlarm() ?? "none");
  }
  PROGRAM
}
export default { fetch(request, env) { return env.HUB.getByName("test").fetch(request); } };
`

// If an object fails to handle an alarm, it sets another alarm, because the runtime gives up after six tries within 141
// seconds.
func TestEdgeSetsAnotherAlarmAfterAFailure(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{
		"the program cannot start": "", // It has no secret.
		"the program ends in its alarm": `async program() {
			let alive = true;
			return { get binding() { return alive ? { alarm() { alive = false; } } : undefined; } };
		}`,
		"the program cannot be loaded": `async program() { throw new Error("no such program"); }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.StartEdge(
				t,
				stack.Script(strings.Replace(alarmScript, "PROGRAM", program, 1)),
				stack.Var("TOKEN_KEY", ""),
			)
			timeToAlarm := func(path string) time.Duration {
				status, answer := testkit.Send(t, s.URL, "GET", path, "")
				require.Equal(t, 200, status)
				at, err := strconv.ParseInt(answer, 10, 64)
				if err != nil {
					return 0 // There is no alarm.
				}
				return time.Until(time.UnixMilli(at))
			}
			timeToAlarm("/alarm")
			waittest.Eventually(
				t,
				func() bool { return timeToAlarm("/") > 10*time.Second },
				testkit.Soon,
				10*time.Millisecond,
				"no alarm is to come",
			)
		})
	}
}
