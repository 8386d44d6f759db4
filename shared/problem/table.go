package problem

// The codes of all problems, in the order of their HTTP status.
const (
	CodeInvalidFilter       = "invalid_filter"
	CodeInvalidCursor       = "invalid_cursor"
	CodeInvalidParameter    = "invalid_parameter"
	CodeInvalidSignIn       = "invalid_sign_in"
	CodeInvalidCall         = "invalid_call"
	CodeBrokenBody          = "broken_body"
	CodeSubprotocolRequired = "subprotocol_required"

	CodeSignInRequired = "sign_in_required"
	CodeSignInFailed   = "sign_in_failed"
	CodeInvalidToken   = "invalid_token"
	CodeExpired        = "expired"

	CodeForbidden   = "forbidden"
	CodeCrossOrigin = "cross_origin"
	CodeNeedsTLS    = "needs_tls"

	CodeNotFound         = "not_found"
	CodeMethodNotAllowed = "method_not_allowed"

	CodeIDConflict      = "id_conflict"
	CodeOwnerChanged    = "owner_changed"
	CodeEntityMoved     = "entity_moved"
	CodeRegranted       = "regranted"
	CodeNoSignIn        = "no_sign_in"
	CodeSignedInAlready = "signed_in_already"
	CodeStillSignedIn   = "still_signed_in"
	CodeTooManyDevices  = "too_many_devices"

	CodeTooLarge             = "too_large"
	CodeUnsupportedMediaType = "unsupported_media_type"
	CodeWrongHost            = "wrong_host"
	CodeInvalidEvent         = "invalid_event"
	CodeInvalidBody          = "invalid_body"
	CodeUpgradeRequired      = "upgrade_required"

	CodeTooManyConnections = "too_many_connections"
	CodeTooManyEvents      = "too_many_events"
	CodeTooManySignIns     = "too_many_sign_ins"
	CodeTooManyCalls       = "too_many_calls"
	CodeTooManyTests       = "too_many_tests"

	CodeInternal          = "internal"
	CodeOriginUnreachable = "origin_unreachable"
	CodePushRefused       = "push_refused"
	CodePushFailed        = "push_failed"
	CodeStarting          = "starting"
	CodeDraining          = "draining"
	CodeFull              = "full"
	CodeLogUnavailable    = "log_unavailable"
	CodeLogFull           = "log_full"
)

// The problems of a request that is malformed (400).
var (
	InvalidFilter = define(400, CodeInvalidFilter, "The filter is not valid", "%s")
	InvalidCursor = define(400, CodeInvalidCursor, "The cursor is not valid",
		"Resume with the id of an event that this broker sent, or ask for after=oldest.")
	MalformedQuery   = define(400, CodeInvalidParameter, "The query is malformed", "Expected %s.")
	UnknownParameter = define(400, CodeInvalidParameter, "A parameter is not known here", "Check its name.")
	InvalidParameter = define(400, CodeInvalidParameter, "A parameter is not valid", "%s: expected %s.")
	HeaderOfBatch    = define(400, CodeInvalidParameter, "A header is for single events",
		"Send a batch without %s. Each of its events may have an id.")
	InvalidSignIn = define(400, CodeInvalidSignIn, "The sign-in is not valid",
		`Send {"user":"…","password":"…"}; demo users have no password.`)
	InvalidCall = define(400, CodeInvalidCall, "The message is not valid",
		`Send messages such as {"call":"ping","ref":"1"}.`)
	BrokenBody = define(400, CodeBrokenBody, "The request's body could not be read",
		"Send it again, whole and within 20 seconds.")
	SubprotocolRequired = define(400, CodeSubprotocolRequired, "The subprotocol is missing",
		"Open the WebSocket with the subprotocol %s.")
)

// The problems of a caller that is not signed in (401).
var (
	SignInRequired = define(401, CodeSignInRequired, "You are not signed in", "Sign in, or send a bearer token.")
	SignInFailed   = define(401, CodeSignInFailed, "Signing in failed", "Check the user's name and the password.")
	InvalidToken   = define(401, CodeInvalidToken, "The token is not valid here",
		"The broker's log says why it was refused.")
	RefusedToken = define(401, CodeInvalidToken, "The token is not valid here", "%s")
	Expired      = define(401, CodeExpired, "Your sign-in has expired", "Sign in again, or get a new token.")
)

// The problems of a caller without the right for its request (403).
var (
	MayNotPublish = define(403, CodeForbidden, "You may not publish this type of event",
		"Ask your administrator for a role that may.")
	AdminsOnly = define(403, CodeForbidden, "This is for admins", "Ask your administrator.")
	PeopleOnly = define(403, CodeForbidden, "Only people have devices",
		"Sign in as the person who is to be notified.")
	CrossOrigin = define(403, CodeCrossOrigin, "The request came from another site",
		"Send it from the same origin, or with a bearer token from a program.")
	NeedsTLS = define(403, CodeNeedsTLS, "Signing in needs HTTPS",
		"Your browser drops the session's cookie on an address that begins with http://. "+
			"Open the address with https://, or ask your administrator to serve Yardline over TLS.")
)

// The problems of an address (404, 405).
var (
	NotFound = define(404, CodeNotFound, "There is nothing at this address",
		"See docs/protocol.md for the addresses of the API.")
	UnknownDevice = define(404, CodeNotFound, "You have no such device",
		"It may have been removed. Turn notifications on again.")
	MethodNotAllowed = define(405, CodeMethodNotAllowed, "This address does not take %s", "It takes %s.")
)

// The problems of a request that conflicts with the state of the broker (409).
var (
	IDConflict = define(409, CodeIDConflict, "The id is taken by another event",
		"Give each event an id of its own; send the same id again only with the same content.")
	OwnerChanged = define(409, CodeOwnerChanged, "This belongs to another person",
		"The employee or user whom a thing is about cannot change. Use another id.")
	EntityMoved = define(409, CodeEntityMoved, "This has changed since you saw it",
		"Its last change is at %s. Look at it again, then decide anew.")
	Regranted = define(409, CodeRegranted, "What you may see has changed", "Ask again, with an empty store.")
	NoSignIn  = define(409, CodeNoSignIn, "Nobody signs in here",
		"Sign in with your company's identity provider.")
	SignedInAlready = define(409, CodeSignedInAlready, "This WebSocket knows who you are",
		"Send auth as the first message alone, where nothing else said who you are.")
	ProviderKeepsSignIn = define(409, CodeStillSignedIn, "You are still signed in",
		"Your browser kept the cookie of your company's identity provider. Sign out there too. "+
			"Administrators: if the cookie is set for a whole domain, name that by --jwt-cookie-domain.")
	TokenKeepsSignIn = define(409, CodeStillSignedIn, "You are still signed in",
		"The request is signed in by a bearer token. A token stays good until it expires: forget it instead.")
	TooManyDevices = define(409, CodeTooManyDevices, "You have as many devices as you may have",
		"Remove one that you no longer use.")
)

// The problems of a request's content (413 to 426).
var (
	TooLarge = define(413, CodeTooLarge, "The request is too large",
		"An event has at most 20 KiB, a batch at most 1 MiB, any other body 8 KiB.")
	UnsupportedMediaType = define(415, CodeUnsupportedMediaType, "Events are sent as JSON",
		"Send Content-Type: %s, %s or %s.")
	UnsupportedEncoding = define(415, CodeUnsupportedMediaType, "Events are sent as they are",
		"Send them without Content-Encoding: %s.")
	WrongHost = define(421, CodeWrongHost, "This broker answers to names of its own machine only",
		"Use http://localhost or a loopback address.")
	InvalidEvent = define(422, CodeInvalidEvent, "The event is not valid", "%s")
	NoEntity     = define(422, CodeInvalidEvent, "The event is not valid",
		"An event of this type changes nothing that has a state.")
	InvalidBody     = define(422, CodeInvalidBody, "The body is not valid", "See docs/protocol.md.")
	UpgradeRequired = define(426, CodeUpgradeRequired, "This address is for WebSockets",
		"Open a WebSocket here, or read /api/sse. A proxy in between must pass on Upgrade and Connection.")
)

// The problems of a caller that asks too often (429). The broker computes RetryAfter
// for each answer.
var (
	TooManyConnections = define(429, CodeTooManyConnections, "There are too many connections %s",
		"Close some, and try again.")
	TooManyEvents = define(429, CodeTooManyEvents, "You publish too fast",
		"Send fewer events a second, or send them in batches and wait as long as the answer says.")
	TooManySignIns = define(429, CodeTooManySignIns, "There were too many tries to sign in",
		"Wait a moment, then try again.")
	TooManyCalls = define(429, CodeTooManyCalls, "You call too fast", "Send fewer messages a second.")
	TooManyTests = define(429, CodeTooManyTests, "There were too many tests", "Wait a moment, then try again.")
)

// The problems of the broker itself (500 to 507).
var (
	Internal = define(500, CodeInternal, "Something went wrong on the server",
		"Try again. If it happens again, tell your administrator.")
	OriginUnreachable = defineWithRetry(502, CodeOriginUnreachable, "The broker cannot be reached", edgeAdvice, 1)
	OriginRedirects   = defineWithRetry(502, CodeOriginUnreachable, "The broker's address leads elsewhere",
		edgeAdvice, 1)
	PushRefused = define(502, CodePushRefused, "The push service refuses messages from this installation",
		"Tell your administrator that it answered with status %d; the broker's log says more. "+
			"Trying again does not help before that is mended.")
	PushFailed = define(502, CodePushFailed, "The push service cannot be reached now",
		"Try again in some minutes. If it happens again, tell your administrator.")
	Starting = defineWithRetry(503, CodeStarting, "The broker is still starting", "Try again in a moment.", 1)
	NoKeys   = defineWithRetry(503, CodeStarting, "The identity provider's keys are not known yet",
		"Try again in a moment. If it goes on, tell your administrator. The broker's log says why.", 5)
	Draining = defineWithRetry(503, CodeDraining, "The broker is stopping", "Try again in a moment.", 2)
	// Full has a RetryAfter that the broker draws for each answer.
	Full = define(503, CodeFull, "The broker has as many connections as it may have",
		"Try again in a moment.")
	LogUnavailable = defineWithRetry(503, CodeLogUnavailable, "The event log is not available",
		"Whether it was stored is not known. Send it again with the same id: it is stored once.", 5)
	EdgeUnavailable = defineWithRetry(503, CodeLogUnavailable, "The event log is not available", edgeAdvice, 1)
	LogFull         = defineWithRetry(507, CodeLogFull, "The event log is full",
		"Nothing was lost. Tell your administrator, and send it again later with the same id.", 30)
)

// edgeAdvice is the advice of the problems that the edge itself answers with.
const edgeAdvice = "Try again in a moment: nothing was lost that was acknowledged."

// All returns every problem, in the order of the HTTP status. It is a list of its own, not a registry that a variable
// fills, so that a program that only compares codes does not link the problems.
func All() []Problem {
	return []Problem{
		InvalidFilter, InvalidCursor, MalformedQuery, UnknownParameter, InvalidParameter, HeaderOfBatch,
		InvalidSignIn, InvalidCall, BrokenBody, SubprotocolRequired,
		SignInRequired, SignInFailed, InvalidToken, RefusedToken, Expired,
		MayNotPublish, AdminsOnly, PeopleOnly, CrossOrigin, NeedsTLS,
		NotFound, UnknownDevice, MethodNotAllowed,
		IDConflict, OwnerChanged, EntityMoved, Regranted, NoSignIn, SignedInAlready, ProviderKeepsSignIn,
		TokenKeepsSignIn, TooManyDevices,
		TooLarge, UnsupportedMediaType, UnsupportedEncoding, WrongHost, InvalidEvent, NoEntity, InvalidBody,
		UpgradeRequired,
		TooManyConnections, TooManyEvents, TooManySignIns, TooManyCalls, TooManyTests,
		Internal, OriginUnreachable, OriginRedirects, PushRefused, PushFailed, Starting, NoKeys, Draining, Full,
		LogUnavailable, EdgeUnavailable, LogFull,
	}
}
