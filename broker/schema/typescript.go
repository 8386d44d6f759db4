package schema

import (
	"fmt"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// exampleTime is the time of the examples that readers receive.
var exampleTime = time.Date(2026, 11, 23, 14, 32, 0, 0, time.UTC)

// typescriptHead is the beginning of the declaration file. Its formatting verb is
// replaced by the union of the severities.
const typescriptHead = `// Types of Yardline's events and API, made from the broker's own.
//
// Integers have 64 bits: JSON.parse rounds those beyond Number.MAX_SAFE_INTEGER.
// Amounts of money are decimal numbers with the decimals of their currency.

/** A place in the log: <epoch>-<sequence>. Treat it as opaque. */
export type Cursor = string;
export type Severity = %s;
`

// typescriptTail holds the types that do not depend on the event types.
const typescriptTail = `
/** What a publisher sends: the short form, or a CloudEvent 1.0. */
export interface Publication<T extends EventType = EventType> {
  type: T;
  data: PublishData[T];
  specversion?: "1.0";
  id?: string;
  source?: string;
  time?: string;
  severity?: Severity;
  datacontenttype?: string;
}

/** What a reader gets: a CloudEvent 1.0, without the fields that the reader may not see. */
export interface Envelope<T extends EventType> {
  specversion: "1.0";
  id: string;
  type: T;
  source: string;
  subject: string;
  time: string;
  severity: Severity;
  actor?: string;
  cursor: Cursor;
  data: ReadData[T];
}

export type YardlineEvent = { [T in EventType]: Envelope<T> }[EventType];

/** Data of the frames hello, gap and bye. */
export interface Hello {
  epoch: string;
  head: Cursor;
  oldest: Cursor;
  heartbeat_ms: number;
  retry_ms: number;
  connection: string;
  grant: string;
}
export interface Gap { from: Cursor; to: Cursor }
export interface Bye {
  reason: "retry" | "slow" | "drain" | "regrant" | "signed_out" | "expired" | "stop";
  delay_ms: number;
}

/** The answer to a publication. */
export interface Receipt {
  id: string;
  cursor: Cursor;
  duplicate: boolean;
  warnings?: { pointer: string; message: string }[];
}

/** A refusal, RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string;
  errors?: { pointer: string; code: string; expected: string }[];
  retry_after?: number;
  stored?: Receipt[];
}

/** A line of a WebSocket's messages. A heartbeat has an id alone. */
export type Line =
  | { id: Cursor; event?: undefined }
  | { id: Cursor; event: "hello"; data: Hello }
  | { id: Cursor; event: "gap"; data: Gap }
  | { event: "bye"; data: Bye }
  | { id: Cursor; event: "filter"; ref?: string; data: { filter: string } }
  | { event: "pong"; ref?: string }
  | { event: "published"; ref?: string; data: Receipt }
  | { event: "refused"; ref?: string; data: Problem }
  | { [T in EventType]: { id: Cursor; event: T; data: Envelope<T> } }[EventType];

/** A message to the broker over a WebSocket. */
export type Call =
  | { call: "auth"; token: string; ref?: string }
  | { call: "filter"; filter: string; ref?: string }
  | { call: "publish"; event: Publication; strict?: boolean; ref?: string }
  | { call: "ping"; ref?: string };
`

// TypeScript returns a declaration file with the types of all events and of the API.
func TypeScript() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, typescriptHead, union(event.Severities))
	fmt.Fprintf(&b, "export type EventType = %s;\n", union(event.Types))
	for _, use := range []Use{ForPublishers, ForReaders} {
		for _, t := range event.Types {
			fmt.Fprintf(&b, "\nexport interface %s {\n", typeName(t, use))
			for _, f := range event.Fields(t) {
				optional := "?"
				if f.Required && (use == ForPublishers || isAlwaysShown(t, f.Name)) {
					optional = ""
				}
				fmt.Fprintf(&b, "  /** %s */\n  %s%s: %s;\n", describe(f), f.Name, optional, typeOf(f))
			}
			b.WriteString("}\n")
		}
		name := map[Use]string{ForPublishers: "PublishData", ForReaders: "ReadData"}[use]
		fmt.Fprintf(&b, "\nexport interface %s {\n", name)
		for _, t := range event.Types {
			fmt.Fprintf(&b, "  %s: %s;\n", t, typeName(t, use))
		}
		b.WriteString("}\n")
	}
	b.WriteString(typescriptTail)
	return []byte(b.String())
}

// typeName returns the name of an event type's schema, such as PublishPaymentReceived.
func typeName(t event.Type, use Use) string {
	name := map[Use]string{ForPublishers: "Publish", ForReaders: "Read"}[use]
	for word := range strings.SplitSeq(string(t), "_") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// typeOf returns the TypeScript type of a field.
func typeOf(f event.FieldSpec) string {
	switch f.Kind {
	case event.KindBool:
		return "boolean"
	case event.KindInt, event.KindNumber, event.KindMoney:
		return "number"
	case event.KindRef:
		return "number | string"
	case event.KindIntList:
		return "number[]"
	case event.KindTextList:
		return "(" + union(f.Enum) + ")[]"
	}
	if len(f.Enum) > 0 {
		return union(f.Enum)
	}
	return "string"
}

// union returns the TypeScript union of texts.
func union[T ~string](names []T) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, " | ")
}
