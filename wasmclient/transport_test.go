package wasmclient

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestErrors(t *testing.T) {
	err := ErrorOf(Response{Status: 422, Body: []byte(`{"code":"invalid_event","title":"The event is not valid","errors":[{"pointer":"/data/x","code":"c","expected":"e"}]}`)})
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "/data/x", refused.Fields[0].Pointer)
	err = ErrorOf(Response{Status: 502, Body: []byte("<html>"), RetryAfter: "99999999"})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "http_502", refused.Code)
	require.Equal(t, time.Hour, refused.RetryAfter)
	require.ErrorContains(t, err, "502")
	require.NoError(t, ErrorOf(Response{Status: 201}))
}
