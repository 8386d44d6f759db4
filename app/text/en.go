package text

// english has every text of the app in English. Keys of a number end in .one and
// .other; names of the vocabulary that do not read as they are written begin
// with name.
var english = map[string]string{
	// The shell
	"skip": "Skip to content", "nav": "Pages", "nav.more": "More", "close": "Close", "cancel": "Cancel", "keep": "Keep it as it is", "copy": "Copy", "clear": "Clear", "send": "Send", "send.of": "Send %s",
	"edit": "Edit", "edit.of": "Edit %s", "retry": "Retry", "discard": "Discard", "decide": "Decide", "reload": "Reload", "update": "Update ready.",
	"as_of": "as of %s", "bool.true": "Yes", "bool.false": "No",
	"failed": "The broker cannot be reached", "failed.text": "Yardline is trying again every few seconds. Nothing is lost: what happens meanwhile comes as soon as it is back.",
	"failed.login":   "A sign-in page answers in the broker’s place. Sign in there, and Yardline opens.",
	"failed.network": "The broker cannot be reached. Check your connection and try again. (network)", "failed.clear": "This browser could not clear its storage. Clear the site’s data in its settings. (storage)",
	"stopped": "Stopped", "crashed": "Yardline has stopped in this tab. Nothing is lost.",
	"description": "Live events for equipment rental", "loading": "Loading {progress}%",
	"not_found": "There is nothing here", "not_found.title": "Not found", "not_found.text": "The address may be mistyped, or it is not for you.", "not_found.go": "Go to the dashboard",
	"unknown": "Nothing known yet", "unknown.text": "It appears here as soon as the broker can be reached.",

	// Pages
	"page.dashboard": "Dashboard", "page.events": "Events", "page.rentals": "Rentals", "page.rental": "Rental", "page.rental.of": "Rental %s", "page.equipment": "Equipment", "page.unit": "Machine",
	"page.unit.of": "Machine %s", "page.employees": "People", "page.customers": "Customers", "page.notifications": "Notifications", "page.outbox": "Outbox", "page.test": "Event test",
	"page.admin": "Admin", "page.settings": "Settings",

	// The connection
	"state.connecting": "Connecting…", "state.live": "Live", "state.reconnecting": "Reconnecting", "state.offline": "You’re offline", "state.paused": "Paused",
	"state.paused.background": "Paused in background", "state.stale": "No data for a while. Checking…", "state.denied": "Session expired. Sign in again",
	"state.denied.invalid_token":   "Your sign-in is no longer accepted. Sign in again",
	"state.denied.signed_out":      "You have signed out",
	"state.login":                  "A sign-in page answers in the broker’s place. Sign in to go on",
	"state.denied.forbidden.short": "No access",
	"state.denied.forbidden":       "You don’t have access. Ask your administrator",
	"state.disconnected":           "Disconnected", "state.limited": "Server is busy",
	"state.polling":     "Delayed updates",
	"state.stale.short": "Checking…", "state.offline.short": "Offline", "state.denied.short": "Signed out", "state.limited.short": "Busy",
	"countdown": "in %s s", "countdown.limited": "Retrying in %s s", "status.unsent": "%s to send",
	"tab.own": "on its own", "tab.alone": "has a connection for itself", "tab.leader": "holds the connection for all tabs", "tab.follower": "follows another tab’s connection",
	"banner.retrying": "%s %s. What you see may be out of date.", "banner.offline": "%s. Showing data from %s.", "banner.disconnected": "Disconnected. Nothing new comes in.",
	"banner.paused": "Paused. Nothing new comes in.", "banner.unsent.one": "%s change will be sent later.", "banner.unsent.other": "%s changes will be sent later.",
	"banner.between": "%s %s. Something between this browser and the broker answers in its place.",
	"banner.lost.one": "This browser has emptied its storage: %s change that you wrote here was not sent, and is " +
		"lost. (storage_emptied)",
	"banner.lost.other": "This browser has emptied its storage: %s changes that you wrote here were not sent, " +
		"and are lost. (storage_emptied)",
	"banner.storage":  "This browser’s storage is full or blocked. Nothing is kept for offline use, and what is not sent yet is lost when this tab closes. (storage)",
	"banner.gap":      "At %s the broker said that some events are no longer kept. The figures are right; the list of events has a gap. (gap)",
	"dismiss":         "Dismiss",
	"banner.rejected": "The broker refused something that you wrote.",
	"retry_now":       "Retry now", "connect": "Connect", "disconnect": "Disconnect", "pause": "Pause", "resume": "Resume",
	"panel": "Connection", "panel.transport": "Transport", "panel.tab": "This tab", "panel.since": "Since", "panel.last": "Last event", "panel.none": "none yet", "panel.event": "%s at %s",
	"panel.place": "Place in the log", "panel.events": "Events", "panel.attempts": "Failed attempts", "panel.code": "Code", "panel.past": "Past states", "panel.copy": "Copy for a report", "panel.copied": "Copied",

	// Signing in
	"sign_in": "Sign in", "sign_out": "Sign out", "sign_in.title": "Sign in to Yardline", "sign_in.name": "Name", "sign_in.password": "Password",
	"sign_in.provider": "You sign in with your company’s identity provider. Open Yardline from there, or ask your administrator for the address.",
	"still_signed_in":  "You are still signed in",
	"still_signed_in.text": "Yardline cannot end this sign-in: this browser still sends the cookie of your " +
		"company’s identity provider. Sign out there, too.",
	"cookie_dropped": "The sign-in was right, but this browser did not keep its cookie. Open Yardline by https://, " +
		"or allow cookies for this site. (cookie_dropped)",
	"sign_in.again": "Try again", "sign_in.stay": "Stay signed in",
	"sign_in.demo": "This installation is for trying things out: choose whose eyes to look through. Open two " +
		"windows to see the same event in both.",
	"who.dispatcher": "Rentals, deliveries and where every machine is",
	"who.yard":       "Returns and maintenance, without prices and customers",
	"who.hr":         "Time sheets, leave and payroll",
	"who.manager":    "Everything that runs, and today’s revenue",
	"who.admin":      "The system: syncs and notices, no customers, no money",
	"who.employee":   "Only what is about Sam Field in person",

	// Figures
	"figure.active_rentals": "Active rentals", "figure.active_rentals.hint": "out with customers", "figure.overdue_rentals": "Overdue", "figure.overdue_rentals.hint": "not back, or not paid, in time",
	"figure.due_today": "Due today", "figure.due_today.hint": "expected back", "figure.utilisation_pct": "Utilisation", "figure.utilisation_pct.hint": "of the fleet is on rent",
	"figure.equipment_down": "Equipment down", "figure.equipment_down.hint": "blocked by maintenance", "figure.revenue_today": "Revenue today", "figure.revenue_today.hint": "payments less refunds",
	"figure.overdue_exposure": "Overdue exposure", "figure.overdue_exposure.hint": "still to be paid", "figure.stale_locations": "Stale locations", "figure.stale_locations.hint": "no fix for a day",
	"figure.timesheets_pending": "Time sheets", "figure.timesheets_pending.hint": "wait for approval", "figure.leave_pending": "Leave requests", "figure.leave_pending.hint": "wait for a decision",
	"figure.absent_today": "Absent today", "figure.absent_today.hint": "on approved leave", "figure.payroll_run_state": "Payroll", "figure.payroll_run_state.hint": "no run yet",
	"figure.sync_state": "Sync", "figure.sync_state.hint": "nothing runs", "figure.none": "–", "figure.of": "%s of %s", "figure.up": "▲ %s since %s", "figure.down": "▼ %s since %s", "figure.points": "%s points",

	// The feed and what needs attention
	"feed": "Live feed", "feed.all": "All events", "feed.empty": "Nothing has happened yet", "feed.empty.text": "New events appear here by themselves, as they happen.", "feed.times": "×%s", "feed.news": "%s new ↑",
	"attention": "Needs attention", "attention.empty": "All clear", "attention.empty.text": "What is overdue, broken or waits for a decision appears here.",
	"attention.due": "was due %s", "attention.blocked": "%s · cannot be rented", "attention.decision": "waits for a decision",
	"toasts": "Messages", "toasts.dismiss": "Dismiss: %s", "toasts.more": "+%s more",
	"drawer.type": "Type", "drawer.severity": "Severity", "drawer.time": "Time", "drawer.actor": "By", "drawer.subject": "Open %s", "drawer.raw": "As JSON",

	// History
	"events.empty": "No event matches", "events.empty.text": "Take a filter away, or look further back.", "events.found.one": "%s event", "events.found.other": "%s events",
	"events.json": "Export JSON", "events.csv": "Export CSV", "events.older": "Older events", "events.bad": "The address asks for something that there is not. Clear the filters. (invalid_filter)",
	"events.partial": "The file has the %s events that are shown here, and no others. %s", "events.most": "The file has the newest %s events, and no older ones: ask for fewer days. (too_many)",
	"events.local": "The broker cannot be asked. These are the last events that this browser has.",
	"filter":       "Filters", "filter.types": "Type", "filter.modules": "Module", "filter.severity": "At least", "filter.subjects": "Subject", "filter.from": "From", "filter.to": "To", "filter.any": "Any", "filter.clear": "Clear filters",
	"timeline": "Timeline", "timeline.now": "Now", "timeline.local": "Older events are not here: %s",

	// Boards
	"board.parts": "Show", "rentals.out": "Out", "rentals.late": "Overdue", "rentals.due": "Due today", "rentals.planned": "Planned", "rentals.back": "Back",
	"rentals.out.empty": "Nothing is out", "rentals.late.empty": "Nothing is overdue", "rentals.due.empty": "Nothing is due today", "rentals.planned.empty": "Nothing is planned", "rentals.back.empty": "Nothing came back lately",
	"rentals.empty.text": "Rentals appear here with their next event.", "rentals.until": "Until", "rentals.amount": "Total", "rentals.days.one": "%s day overdue", "rentals.days.other": "%s days overdue",
	"rental.title": "Rental %s", "rental.pay": "Record a payment", "rental.pay.send": "Record", "rental.cancel": "Cancel rental %s? It cannot be taken back from here.", "rental.do.reserved": "Reserve", "rental.do.cancelled": "Cancel rental", "rental.do.pending_delivery": "Ready to deliver",
	"rental.do.active": "Delivered", "rental.do.off_rent": "Off rent", "rental.do.pending_return": "Pick up", "rental.do.returned": "Returned", "rental.do.completed": "Complete",
	"equipment.all": "All", "equipment.faults": "With faults", "equipment.moving": "Moving", "equipment.stale": "Not seen", "equipment.all.empty": "No machine is known", "equipment.faults.empty": "No fault is open",
	"equipment.moving.empty": "Nothing is moving", "equipment.stale.empty": "All were seen today", "equipment.empty.text": "Machines appear here with their next position or fault.",
	"unit.title": "Machine %s", "unit.seen": "Last seen", "unit.battery": "Battery", "unit.fine": "Fine", "unit.stale": "Not seen", "unit.fault": "Fault", "unit.down": "Down",
	"unit.start": "Start work", "unit.resolve": "Resolve", "unit.of": "%s: %s", "unit.report": "Report a fault", "unit.report.new": "Report a fault of another machine", "unit.report.of": "Report a fault of %s", "unit.report.send": "Report",
	"plan": "Where machines are", "plan.empty": "No positions", "plan.empty.text": "Machines appear here with their next fix.", "plan.km": "%s km", "plan.north": "N", "plan.words": "Plan of %s at %s",
	"plan.fine": "fine", "plan.down": "down", "plan.stale": "not seen for a day", "machines.one": "%s machine", "machines.other": "%s machines", "sites.one": "%s site", "sites.other": "%s sites",
	"employees.waiting": "To decide", "employees.sheets": "Time sheets", "employees.leave": "Leave", "employees.payroll": "Payroll", "employees.waiting.empty": "Nothing waits for a decision",
	"employees.sheets.empty": "No time sheets", "employees.leave.empty": "No leave requests", "employees.payroll.empty": "No payroll run", "employees.empty.text": "They appear here with their next event.",
	"employees.sheet": "Of", "employees.leave.of": "From", "employees.days": "%s – %s", "employees.away": "Away today", "employees.do.approved": "Approve", "employees.do.rejected": "Reject",
	"employees.payroll.of": "Payroll %s", "employees.payslip": "Payslip of employee #%s, %s", "employees.payslip.own": "Your payslip for %s", "employee": "Employee #%s",
	"customers.all": "Renting", "customers.late": "Overdue", "customers.syncs": "Syncs", "customers.all.empty": "Nobody rents", "customers.late.empty": "Nobody is late", "customers.syncs.empty": "No sync lately",
	"customers.empty.text": "They appear here with their next event.", "customers.out.one": "%s rental out", "customers.out.other": "%s rentals out", "customers.overdue.one": "%s overdue", "customers.overdue.other": "%s overdue",
	"sync.start": "Start a sync", "sync.of": "Sync of %s", "sync.when": "Last word",

	// Forms
	"form.more.one": "%s more field", "form.more.other": "%s more fields", "form.expected": "Expected: %s",

	// Outbox and test page
	"outbox.lead":  "What you wrote in this browser: sent in order, once each, as soon as the broker can be reached, also after a reload.",
	"outbox.empty": "Nothing sent yet", "outbox.empty.text": "What you send appears here: waiting, stored, or refused with the reason.", "outbox.elsewhere": "%s, from another tab or visit",
	"outbox.took": "took %s ms", "outbox.anyway": "Send anyway", "outbox.waiting": "Waiting to be sent",
	"test.lead": "Send an event from here and watch it come back, in this tab and in every other one that may see it.", "test.presets": "Send a preset", "test.sent": "Sent from here", "test.tab": "Tab %s",
	"test.received": "Received (%s, the last %s shown)", "test.count.one": "%s received", "test.count.other": "%s received", "test.not_yours": "%s · your role may not send it", "test.burst": "×%s", "test.burst.of": "Send %s times %s",
	"test.editor": "Edit an event", "test.choose": "No type chosen", "test.choose.text": "Choose Edit at a preset above.", "test.send_form": "Send event", "test.json": "As JSON", "test.send_json": "Send payload",
	"test.trips": "Round trip: %s ms at least, %s on average, %s at most", "test.no_trips": "No round trip yet",

	// Notifications
	"notify.types": "What you are told of", "notify.types.text": "Here: a message while you look at Yardline. Push: a notification on your devices while it is closed.", "notify.toast": "Here", "notify.push": "Push",
	"notify.toast.of": "Message for %s", "notify.push.of": "Notification for %s",
	"push": "Notifications on your devices", "push.unknown": "Looking …", "push.none": "Nothing is pushed from this installation. Messages appear while Yardline is open.", "push.unsupported": "This browser cannot be notified here. Over HTTPS, and with the app installed, most can.",
	"push.blocked": "You have blocked notifications for this site. Allow them in the browser’s settings of this site.", "push.off": "This device is not notified.", "push.on": "This device is notified.",
	"push.turn_on": "Turn on for this device", "push.turn_off": "Turn off", "push.turn_off.of": "Turn off %s", "push.test": "Send a test", "push.test.note": "The push service has taken it. It should appear in a moment.",
	"push.empty": "There is news in Yardline. Open it to see what has happened.",
	"push.failing.vapid": "The push service refuses messages to this device since %s (%s). Tell your administrator: " +
		"the contact or the key of the installation may be the reason.",
	"push.failing": "The push service refuses messages to this device since %s (%s). Turn it off, and turn it " +
		"on again on that device.",
	"push.on.note": "This device is notified from now on.", "push.off.note": "It is notified no more.",
	"push.refused": "The browser was told not to allow notifications. Nothing has changed. (refused)",
	"push.browser": "The browser could not do it: %s (browser)", "push.device": "A device", "push.this": "%s (this one)", "push.since": "since %s",
	"quiet": "Quiet hours", "quiet.text": "Nothing is pushed then. The feed has it all.", "quiet.on": "Keep quiet every day", "quiet.from": "From", "quiet.to": "To",
	"toast_time": "Messages stay", "toast-time.": "As long as usual", "toast-time.2": "Twice as long", "toast-time.never": "Until dismissed",

	// Settings
	"settings.look": "Look", "settings.theme": "Theme", "theme.": "As the system", "theme.light": "Light", "theme.dark": "Dark", "settings.iso": "Dates as 2026-11-24", "settings.money": "Money with its code, as EUR",
	"settings.sample": "Looks like this: %s · %s", "settings.keys": "Single-letter shortcuts", "settings.account": "Account", "settings.who": "You are signed in as %s.",
	"settings.purge": "Signing out removes everything of yours from this browser: events, figures, and what was not sent yet.", "settings.debug": "For reports", "settings.debug.on": "Log every step to the console",
	"settings.debug.text": "Takes effect with the next load of the page.", "settings.reload": "Reload the page for it to take effect.",
	"install": "Install", "install.text": "As an app, Yardline has a window and an icon of its own, and opens offline.", "install.cannot": "This browser offers no installation here, or Yardline is installed already. It opens offline either way.",
	"install.done": "Yardline runs as an app.", "install.do": "Install Yardline", "install.apple": "In Safari: Share, then Add to Home Screen; on a Mac File, then Add to Dock. Yardline then has a window and an icon of its own.",
	"keys": "Keyboard shortcuts", "keys.filter": "Filter events", "keys.pause": "Pause or resume", "keys.toasts": "To the messages", "keys.dismiss": "Dismiss a message", "keys.off": "Single letters can be switched off in the settings.",

	// Admin
	"admin.quiet": "Nothing in the last hour", "admin.quiet.text": "Bars appear with the next event.", "admin.nobody": "Nobody is connected", "admin.nobody.text": "Streams appear here as they open.",
	"admin.old": "%s Shown is what was true at %s.", "admin.tile.connections": "Connections", "admin.tile.rate": "Events a second", "admin.tile.latency": "Delivery, median", "admin.tile.failures": "Failures",
	"admin.tile.memory": "Memory", "admin.tile.log": "Event log", "admin.total": "%s since the start", "admin.latency": "p95 %s · p99 %s ms", "admin.failures": "%s slow readers · %s gaps",
	"admin.memory": "%s for each connection", "admin.log": "%s events kept", "admin.log.fine": "Fine", "admin.log.ill": "Ill",
	"admin.minutes": "Events a minute", "admin.minutes.words": "%s events in the last hour, a bar a minute", "admin.types": "Types, last hour", "admin.delivery": "Delivery, last writes", "admin.results": "Publications and pushes",
	"admin.p50": "Half within", "admin.p95": "95 of 100 within", "admin.p99": "99 of 100 within",
	"admin.result.stored": "Stored", "admin.result.duplicate": "Sent twice", "admin.result.invalid": "Invalid", "admin.result.forbidden": "Forbidden", "admin.result.conflict": "Conflicts", "admin.result.unavailable": "Not stored",
	"admin.push.sent": "Pushes sent", "admin.push.gone": "Devices gone", "admin.push.failed": "Pushes failed", "admin.push.dropped": "Pushes held back",
	"admin.open": "Open connections", "admin.col.who": "Who", "admin.col.roles": "Roles", "admin.col.transport": "Transport", "admin.col.since": "Since", "admin.col.lag": "Waiting", "admin.col.do": "Action",
	"admin.kick": "Disconnect", "admin.kick.of": "Disconnect %s", "admin.tokens": "Tokens for back ends",
	"admin.tokens.text": "A token lets a back end publish any event, and read nothing. For other rights sign one on the broker’s machine: yardline token.",
	"admin.token.user":  "Name of the back end", "admin.token.ttl": "Valid for", "admin.token.sign": "Sign a token", "admin.token": "Token", "admin.token.once": "Token of %s, valid until %s. It is shown this once.",
	"days.one": "%s day", "days.other": "%s days",

	// Units and times
	"unit.mib": "%s MiB", "unit.kib": "%s KiB", "unit.bytes": "%s B", "unit.ms": "%s ms",
	"time.ago": "%s ago", "time.in": "in %s", "time.second.one": "%s second", "time.second.other": "%s seconds", "time.minute.one": "%s minute", "time.minute.other": "%s minutes",
	"time.hour.one": "%s hour", "time.hour.other": "%s hours", "time.day.one": "%s day", "time.day.other": "%s days",

	// Names that read otherwise than they are written
	"name.hr": "HR", "name.sse": "SSE", "name.websocket": "WebSocket", "name.poll": "Long poll", "name.none": "None", "name.all": "Everything",
	"name.equipment_ids": "Machines", "name.rental_id": "Rental", "name.equipment_id": "Machine number", "name.equipment_name": "Machine", "name.employee_id": "Employee number", "name.employee_name": "Employee",
	"name.total_amount": "Total amount", "name.battery_pct": "Battery, %", "name.accuracy_m": "Accuracy, m", "name.speed_kmh": "Speed, km/h", "name.heading_deg": "Heading, °", "name.customer_phone": "Phone",
	"name.amount_outstanding": "Outstanding", "name.location_name": "Place", "name.meter_reading": "Meter, hours", "name.timesheet_updated": "Time sheet updated", "name.timesheet_id": "Time sheet number",
	"name.in_progress": "In progress",
}
