package browser

import (
	"context"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
)

// AllowNotifications lets pages of an origin show notifications, as if the user had agreed.
func (u *User) AllowNotifications(origin string) {
	u.t.Helper()
	_, err := chromedp.CallBrowser(root, browser.SetPermission, browser.SetPermissionParams{
		Permission:       &browser.PermissionDescriptor{Name: "notifications"},
		Setting:          browser.PermissionSettingGranted,
		Origin:           origin,
		BrowserContextID: u.id,
	})
	if err != nil {
		u.t.Fatalf("allow notifications: %v", err)
	}
}

// Push delivers a message to the service worker of an origin, as the browser does when a push service has sent the
// message.
func (tab *Tab) Push(origin, body string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	updates := chromedp.Events(ctx, serviceworker.WorkerRegistrationUpdated)
	call(tab, serviceworker.Enable, cdp.Empty{})
	for e, err := range updates {
		if err != nil {
			tab.t.Fatalf("push: %v", err)
		}
		for _, r := range e.Registrations {
			if r.ScopeURL == origin+"/" && !r.IsDeleted {
				call(tab, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
					Origin: origin + "/", RegistrationID: r.RegistrationID, Data: body,
				})
				// The browser reports the registration to the next Push only after it was disabled.
				call(tab, serviceworker.Disable, cdp.Empty{})
				return
			}
		}
	}
}
