package identity

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

// TestClaimIsFoundByNameThenByPath also checks names that contain dots.
func TestClaimIsFoundByNameThenByPath(t *testing.T) {
	for _, c := range []struct{ claims, path, want string }{
		{`{"roles":1}`, "roles", "1"}, {`{"https://company.example/roles":1}`, "https://company.example/roles", "1"},
		{`{"realm_access":{"roles":1}}`, "realm_access.roles", "1"},
		{`{"realm_access.roles":1,"realm_access":{"roles":2}}`, "realm_access.roles", "1"},
		{`{"https://company":{"example/roles":1}}`, "https://company.example/roles", "1"},
		{`{"https://company.example/app":{"roles":1}}`, "https://company.example/app.roles", "1"},
		{`{"resource_access":{"yard.company.example":{"roles":1}}}`, "resource_access.yard.company.example.roles", "1"},
		{`{"a.b":{"x":1},"a":{"b":{"c":2}}}`, "a.b.c", "2"},
		{`{"a":1}`, "a.b", ""}, {`{"a":{"b":1}}`, "a.c", ""}, {`{}`, "", ""}, {`{"a":{"":1}}`, "a.", "1"},
		{`{"a":null}`, "a", "null"},
	} {
		var claims map[string]any
		require.NoError(t, json.Unmarshal([]byte(c.claims), &claims))
		value, found := findClaim(claims, c.path)
		got := ""
		if found {
			raw, err := json.Marshal(value)
			require.NoError(t, err)
			got = string(raw)
		}
		require.Equal(t, c.want, got, "%s in %s", c.path, c.claims)
	}
}

func TestRolesEmployeeAndTenantAreReadByNameOrPath(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	for name, c := range map[string]struct {
		config IssuerConfig
		claims jwt.MapClaims
	}{
		"by name": {IssuerConfig{RolesClaim: "https://company.example/roles",
			EmployeeClaim: "https://company.example/id", TenantClaim: "https://company.example/of"},
			jwt.MapClaims{"https://company.example/roles": []string{"manager"}, "https://company.example/id": 456,
				"https://company.example/of": "acme"}},
		"by path": {IssuerConfig{RolesClaim: "user.roles", EmployeeClaim: "user.employee_id",
			TenantClaim: "user.org.name"},
			jwt.MapClaims{"user": map[string]any{"roles": "manager", "employee_id": []string{"456"},
				"org": map[string]any{"name": "acme"}}}},
	} {
		principal, err := p.openIssuer(c.config).Verify(p.signUsual("a", c.claims))
		require.NoError(t, err, name)
		want := access.Grant{User: "auth|7", Name: "Ann", Roles: []access.Role{access.Manager}, Employee: 456,
			Tenant: "acme"}
		require.Equal(t, want, principal.Grant, name)
	}
}

// TestMissingClaimsAreLoggedOnce sends several tokens with the same faults.
func TestMissingClaimsAreLoggedOnce(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{RolesClaim: "groups", EmployeeClaim: "hr.id"})
	for range 3 {
		_, err := i.Verify(p.signUsual("a", jwt.MapClaims{"secret": "value"}))
		require.NoError(t, err)
		faulty := jwt.MapClaims{"groups": []string{"staff"}, "hr": map[string]any{"id": "none"}}
		_, err = i.Verify(p.signUsual("a", faulty))
		require.NoError(t, err)
		_, err = i.Verify(p.signUsual("a", jwt.MapClaims{"groups": []string{"yard"}, "hr": map[string]any{"id": 7}}))
		require.NoError(t, err)
	}
	log := p.logged.String()
	require.Equal(t, 4, strings.Count(log, "\n"), log)
	for _, part := range []string{"a token has no claim with roles", "claim=groups", "a token has no role of Yardline",
		"a token has no claim with an employee id", "claim=hr.id", "is no positive integer"} {
		require.Contains(t, log, part)
	}
	require.Contains(t, log, "realm_access secret sub", "the names of the claims that there are")
	require.NotContains(t, log, "value")
}

func TestRolesAndEmployeeIDsAreParsed(t *testing.T) {
	for _, c := range []struct {
		claim any
		want  []access.Role
	}{
		{"hr, yard", []access.Role{access.HR, access.Yard}}, {"hr yard nothing", []access.Role{access.HR, access.Yard}},
		{7, nil}, {nil, nil},
		{[]any{"admin", 7, "root"}, []access.Role{access.Admin}},
	} {
		require.Equal(t, c.want, parseRoles(c.claim))
	}
	for claim, want := range map[any]int64{json.Number("9007199254740993"): 9007199254740993, "5": 5,
		json.Number("1.5"): 0,
		json.Number("-3"):  0, "x": 0, true: 0, "99999999999999999999": 0} {
		require.Equal(t, want, parseEmployee(claim))
	}
	require.EqualValues(t, 5, parseEmployee([]any{"5"}))
	require.Zero(t, parseEmployee([]any{"5", "6"}))
}

// TestAnySubjectOfOpenIDConnectIsAUserID also checks the way of each id through a
// forwarded identity.
func TestAnySubjectOfOpenIDConnectIsAUserID(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{})
	for _, subject := range []string{
		"7", "f:4f9c0c52-0a6b-4c1e-9b0e-0c3b1c9d1a55:john.smith@subsidiary.company.example",
		"CN=John Smith,OU=Yard", " x ", "auth0|5f", "Jöhn", `a"b\c/d*>.`, strings.Repeat("a", 255),
	} {
		principal, err := i.Verify(p.signUsual("a", jwt.MapClaims{"sub": subject}))
		require.NoError(t, err, subject)
		require.Equal(t, subject, principal.Grant.User)
		require.Equal(t, principal.Grant, forward(t, principal).Grant)
	}
	for subject, advice := range map[string]string{"": "id is empty",
		strings.Repeat("a", 256): "has 256 bytes; at most 255", "a\nb": "control characters",
		"a\u0085b": "control characters"} {
		_, err := i.Verify(p.signUsual("a", jwt.MapClaims{"sub": subject}))
		requireAdvice(t, advice, err)
	}
}

// forward returns a principal after it has passed through a header.
func forward(t *testing.T, p Principal) Principal {
	t.Helper()
	forwarded, err := ParseForwardedIdentity(http.Header{ForwardedIdentityHeader: {EncodeForwardedIdentity(p)}})
	require.NoError(t, err)
	return forwarded
}

// requireAdvice requires that a token was refused with this advice.
func requireAdvice(t *testing.T, advice string, err error) {
	t.Helper()
	require.ErrorIs(t, err, ErrInvalid)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Advice, advice)
}

// TestRefusalTellsTheSenderTheReason compares the advice for many faults of a token.
func TestRefusalTellsTheSenderTheReason(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	authority := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{})}
	hour := time.Now().Add(time.Hour).Unix()
	for advice, claims := range map[string]jwt.MapClaims{
		"another issuer":        {"iss": "https://evil.example"},
		"another audience":      {"aud": "other"},
		"lacks a claim":         {"exp": nil},
		"not valid yet":         {"nbf": hour},
		"issued in the future":  {"iat": hour},
		"claims is not valid":   {"exp": "soon"},
		"another audience (cl":  {"aud": "other", "exp": 1},
		"at most 255 are":       {"sub": strings.Repeat("a", 300)},
		"The user id is empty.": {"sub": nil},
	} {
		_, err := authority.Verify(p.signUsual("a", claims))
		requireAdvice(t, advice, err)
	}
	_, err = authority.Verify(p.signUsual("a", jwt.MapClaims{"exp": 1}))
	require.ErrorIs(t, err, ErrExpired)
	good := p.signUsual("a", nil)
	elsewhere, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	foreign, err := elsewhere.Create(demoUsers[0], time.Hour)
	require.NoError(t, err)
	tenant, err := demoUsers[0].InTenant("acme")
	require.NoError(t, err)
	ofTenant, err := tokens.Create(tenant, time.Hour)
	require.NoError(t, err)
	for token, advice := range map[string]string{
		good[:len(good)-9] + "AAAAAAAAA": "signature does not match", good + ".x": "no", "x": "not a JSON Web Token",
		`"` + good + `"`: "not a JSON Web Token",
		p.sign("nobody's", jwt.SigningMethodRS256, p.keys["a"], nil): "does not publish the key",
		foreign: "signature does not match", ofTenant: "one tenant",
	} {
		_, err := authority.Verify(token)
		requireAdvice(t, advice, err)
	}
}

// TestFarExpiryIsClamped uses years that neither JSON nor a count of nanoseconds can
// hold.
func TestFarExpiryIsClamped(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{})
	// The years 2200 and 2286, and milliseconds and microseconds in place of seconds.
	for _, exp := range []int64{7258118401, 9999999999, 1e12, 1e15} {
		principal, err := i.Verify(p.signUsual("a", jwt.MapClaims{"exp": exp}))
		require.NoError(t, err)
		require.Equal(t, latestExpiry, principal.Expires)
		require.True(t, forward(t, principal).Expires.Equal(latestExpiry))
	}
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	token, err := tokens.Create(demoUsers[0], 1<<63-1)
	require.NoError(t, err)
	principal, err := tokens.Verify(token)
	require.NoError(t, err)
	require.Equal(t, latestExpiry, principal.Expires)
}

// TestLongNamesOfATokenAreCut checks that a token cannot make the log or a header long.
func TestLongNamesOfATokenAreCut(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{})
	principal, err := i.Verify(p.signUsual("a", jwt.MapClaims{"name": strings.Repeat("ö", 9000)}))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("ö", 127), principal.Grant.Name)
	_, err = i.Verify(p.sign(strings.Repeat("k", 9000), jwt.SigningMethodRS256, p.keys["a"], nil))
	require.ErrorIs(t, err, ErrInvalid)
	require.Less(t, len(err.Error()), 300)
}
