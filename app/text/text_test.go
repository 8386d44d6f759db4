package text

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
)

var uses = regexp.MustCompile(`text\.(Of|Count)\("([^"]*)"`)

// TestEveryUsedTextExists finds the constant keys that the app uses. A key of Count needs both forms.
func TestEveryUsedTextExists(t *testing.T) {
	used := 0
	require.NoError(t, fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile("../" + path)
		for _, m := range uses.FindAllStringSubmatch(string(source), -1) {
			used++
			key := m[2]
			if strings.HasSuffix(key, ".") || strings.HasSuffix(key, "+") {
				continue // the rest is computed; the tests of the pages check it
			}
			if m[1] == "Count" {
				require.Contains(t, english, key+".one", path)
				require.Contains(t, english, key+".other", path)
				continue
			}
			require.Contains(t, english, key, path)
		}
		return err
	}))
	require.Greater(t, used, 200)
}

func TestTextsHaveTheirArguments(t *testing.T) {
	require.Equal(t, "Send it", Of("send.of", "it"))
	require.Equal(t, "⟨nothing⟩", Of("nothing"))
	require.Equal(t, "1 event", Count("events.found", 1))
	require.Equal(t, "2 events", Count("events.found", 2))
}

func TestLabelsAreWords(t *testing.T) {
	require.Equal(t, "Payment received", Label("payment_received"))
	require.Equal(t, "HR", Label("hr"))
	require.Equal(t, "", Label(""))
	for _, typ := range event.Types {
		for _, f := range event.Fields(typ) {
			require.NotContains(t, Label(f.Name), "_")
		}
	}
}

// Outside a browser, values are written plainly. A browser test checks the locales.
func TestValuesOutsideABrowserArePlain(t *testing.T) {
	now := time.Date(2026, 11, 24, 14, 2, 3, 0, time.Local)
	require.Equal(t, "14:02", Time(now))
	require.Equal(t, "14:02:03", Clock(now))
	require.Equal(t, "2026-11-24", Date("2026-11-24"))
	require.Equal(t, "soon", Date("soon"))
	require.Equal(t, "14:02", When(now, now.Add(time.Hour)))
	require.Equal(t, "2026-11-24 14:02", When(now, now.AddDate(0, 0, 1)))
	require.Equal(t, "5 minutes ago", Relative(now.Add(-5*time.Minute), now))
	require.Equal(t, "in 1 day", Relative(now.Add(25*time.Hour), now))
	require.Equal(t, "EUR\u00a01500", Money(1500*event.MoneyUnit, "EUR"))
	require.Equal(t, "EUR\u00a01500.50", Money(1500*event.MoneyUnit+500, "EUR"))
	require.Equal(t, "KWD\u00a010.500", Money(10*event.MoneyUnit+500, "KWD"))
	require.Equal(t, "JPY\u00a010", Money(10*event.MoneyUnit, "JPY"))
	require.Equal(t, "45%", Percent(45))
	require.Equal(t, "2.00 MiB", Bytes(2<<20))
}

func TestKeysOccurOnce(t *testing.T) {
	require.Len(t, english, len(englishShell)+len(englishPages)+len(englishAdmin))
}
