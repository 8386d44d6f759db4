package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// The programs pythonValidator and nodeValidator read a schema from the file of their argument, and a document from
// each line of their standard input. They print the documents that are not valid.
const (
	pythonValidator = `
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
v = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
for line in sys.stdin:
    for error in v.iter_errors(json.loads(line)):
        print(line.strip(), error.message)
`
	nodeValidator = `
const Ajv = require("ajv/dist/2020"), formats = require("ajv-formats"), fs = require("fs");
const validate = formats(new Ajv({allErrors: true})).compile(JSON.parse(fs.readFileSync(process.argv[2])));
for (const line of fs.readFileSync(0, "utf8").trim().split("\n"))
	if (!validate(JSON.parse(line)))
		console.log(line, validate.errors.map(e => e.instancePath + " " + e.message).join("; "));
`
)

// runValidators runs both programs on documents, and returns the output of each.
func runValidators(t *testing.T, schema string, documents []string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "schema.json")
	require.NoError(t, os.WriteFile(file, []byte(schema), 0o600))
	python, node := filepath.Join(dir, "validate.py"), filepath.Join(dir, "validate.js")
	require.NoError(t, os.WriteFile(python, []byte(pythonValidator), 0o600))
	require.NoError(t, os.WriteFile(node, []byte(nodeValidator), 0o600))
	modules, err := filepath.Abs("../node_modules")
	require.NoError(t, err)
	refused := map[string]string{}
	for _, program := range [][]string{{"/usr/bin/python3", python, file}, {"node", node, file}} {
		cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
		cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
		cmd.Stdin = strings.NewReader(strings.Join(documents, "\n") + "\n")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		require.NoError(t, cmd.Run(), "%s: %s", program[0], &errs)
		refused[program[0]] = out.String()
	}
	return refused
}

// With the schema that the broker serves, validators of Python and Node accept each amount that the broker accepts.
// They refuse each error that a schema can express.
func TestCommonValidatorsAcceptEveryValidAmount(t *testing.T) {
	s := stack.Start(t)
	_, schema := testkit.Send(t, s.URL, "GET", "/api/schema/payment_received?for=publish", "")
	document := func(amount, moreFields string) string {
		return fmt.Sprintf(`{"type":"payment_received"%s,"data":{"rental_id":1,"payment_method":"cash","amount":%s}}`,
			moreFields, amount)
	}
	var amounts []string
	for cents := 1; cents <= 20_000; cents++ {
		amounts = append(amounts, document(fmt.Sprintf("%d.%02d", cents/100, cents%100), ""))
	}
	for program, refused := range runValidators(t, schema, amounts) {
		require.Empty(t, refused, program)
	}
	// The broker accepts the amounts too, and adds them up without rounding errors.
	sum := 0
	for _, cents := range []int{1999, 111, 402, 7, 29, 12995} {
		sum += cents
		s.Publish(document(fmt.Sprintf("%d.%02d", cents/100, cents%100), ""))
	}
	manager := "Authorization: Bearer " + s.TokenFor("4", 0, "manager")
	_, snapshot := testkit.Send(t, s.URL, "GET", "/api/snapshot", "", manager)
	var state struct {
		Figures map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(snapshot), &state))
	require.JSONEq(t, fmt.Sprintf(`{"EUR":%d.%02d}`, sum/100, sum%100), string(state.Figures["revenue_today"]))
	invalid := []string{
		document("0", ""),
		document("-1", ""),
		document(`"1"`, ""),
		document("1e17", ""),
		document("1", `,"id":"a\u0000b"`),
		document("1", `,"id":""`),
	}
	for program, refused := range runValidators(t, schema, invalid) {
		require.Equal(t, len(invalid), strings.Count(refused, "payment_received"), "%s: %s", program, refused)
	}
}
