package port

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/problem"
)

func TestErrorOfTellsTheBrokersRefusalFromAProxys(t *testing.T) {
	err := ErrorOf(Response{Status: 422, ContentType: problem.MediaType,
		Body: []byte(`{"type":"urn:yardline:problem:invalid_event","code":"invalid_event","title":"The event is not ` +
			`valid","errors":[{"pointer":"/data/x","code":"c","expected":"e"}]}`)})
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.FromBroker)
	require.Equal(t, "/data/x", refused.Fields[0].Pointer)
	err = ErrorOf(Response{Status: 502, Body: []byte("<html>"), RetryAfter: "99999999"})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "http_502", refused.Code)
	require.Equal(t, time.Hour, refused.RetryAfter)
	require.ErrorContains(t, err, "502")
	require.NoError(t, ErrorOf(Response{Status: 201}))
}

func TestRetryAfterIsReadAsSecondsOrDateWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := func(in time.Duration) string {
			return time.Now().Add(in).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
		}
		for header, want := range map[string]time.Duration{
			"": 0, "0": 0, "-5": 0, "soon": 0, "7": 7 * time.Second, "999999999999": time.Hour,
			date(2 * time.Minute): 2 * time.Minute, date(-time.Minute): 0, date(24 * time.Hour): time.Hour,
		} {
			var refused *Error
			require.ErrorAs(t, ErrorOf(Response{Status: 503, RetryAfter: header}), &refused)
			require.Equal(t, want, refused.RetryAfter, header)
		}
	})
}
