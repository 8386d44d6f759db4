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

// watched is a worker whose object is asked when its alarm is, in place of the
// program, and whose alarm is due when /alarm was asked for.
const watched = `import { Tenant as Original } from "worker.mjs";
export class Tenant extends Original {
  async fetch(request) {
    if (new URL(request.url).pathname === "/alarm") await this.ctx.storage.setAlarm(Date.now());
    return new Response(await this.ctx.storage.getAlarm() ?? "none");
  }
  PROGRAM
}
export default { fetch(request, env) { return env.HUB.getByName("test").fetch(request); } };
`

// An object that cannot do the work of an alarm sets another alarm, because the runtime gives up after six tries in 141
// s.
func TestEdgeSetsAnotherAlarmAfterAFailure(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{
		"the program cannot start": "", // without its secret
		"the program ends in its alarm": "async program() { let alive = true; return { get binding() { return alive " +
			"? { alarm() { alive = false; } } : undefined; } }; }",
		"the program cannot be loaded": `async program() { throw new Error("no such program"); }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.StartEdge(
				t,
				stack.Script(strings.Replace(watched, "PROGRAM", program, 1)),
				stack.Var("TOKEN_KEY", ""),
			)
			next := func(path string) time.Duration {
				status, answer := testkit.Send(t, s.URL, "GET", path, "")
				require.Equal(t, 200, status)
				at, err := strconv.ParseInt(answer, 10, 64)
				if err != nil {
					return 0 // none
				}
				return time.Until(time.UnixMilli(at))
			}
			next("/alarm")
			waittest.Eventually(
				t,
				func() bool { return next("/") > 10*time.Second },
				testkit.Soon,
				10*time.Millisecond,
				"no alarm is to come",
			)
		})
	}
}
