//go:build screenshots

package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// A galleryPage is a page of the gallery as one demo user sees it.
type galleryPage struct {
	name string // the beginning of the names of its files
	user string
	path string
}

// galleryPages returns the dashboards of four users, and all pages of the app.
func galleryPages() (pages []galleryPage) {
	for _, user := range []string{"hr", "yard", "admin", "employee"} {
		pages = append(pages, galleryPage{name: "dashboard-" + user, user: user, path: "/"})
	}
	for _, path := range testkit.Paths {
		page := galleryPage{
			name: strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-"),
			user: "manager",
			path: path,
		}
		switch path {
		case "/":
			page.name = "dashboard"
		case "/admin":
			page.user = "admin"
		case "/employees":
			page.user = "hr"
		}
		pages = append(pages, page)
	}
	return pages
}

// saveScreenshots writes four pictures of a tab into a directory: wide and narrow, light and dark.
func saveScreenshots(t *testing.T, tab *browser.Tab, dir, name string) {
	t.Helper()
	// The demo company publishes many events, and their toasts would cover parts of every page.
	browser.Eval[bool](tab, `(() => { document.getElementById("toasts").style.display = "none"; return true })()`)
	for _, width := range []int64{1280, 360} {
		for _, scheme := range []string{"light", "dark"} {
			file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
			require.NoError(t, os.WriteFile(file, tab.Screenshot(width, scheme), 0o644))
		}
	}
	tab.SetSize(1280, "light")
}

// This test makes the gallery of "make screenshots": every page, wide and narrow, light and dark, of a company that has
// been at work for a while.
func TestScreenshots(t *testing.T) {
	dir, err := filepath.Abs("../../bin/screenshots")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s := stack.Start(t, "--demo", "--demo-rate", "25", "--time-zone", "Europe/Berlin")
	publishExamples(s)
	first := browser.NewUser(t).NewTab()
	first.Open(s.URL)
	first.Eventually(testkit.Soon, `document.querySelector("[data-user]")`)
	saveScreenshots(t, first, dir, "sign-in")
	users := map[string]*browser.User{}
	for _, page := range galleryPages() {
		if users[page.user] == nil {
			users[page.user] = browser.NewUser(t)
		}
		tab := testkit.Open(s, users[page.user], page.user, page.path)
		tab.Eventually(testkit.Soon, `document.querySelector("main h1") && !document.querySelector("main .skeleton")`)
		if page.name == "dashboard" {
			tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length >= 12`)
		}
		saveScreenshots(t, tab, dir, page.name)
		if page.path == "/events" {
			tab.Click(".row-open")
			tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")`)
			saveScreenshots(t, tab, dir, "drawer")
		}
		if page.path == "/equipment" {
			tab.Click(`[data-act^="fault-"]`)
			tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] input")`)
			saveScreenshots(t, tab, dir, "form")
		}
		tab.Close()
	}
}
