package identity

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/snd-rental/yardline/shared/access"
)

// findClaim returns a claim by its name. If no claim has this name, findClaim reads
// the name as a path of names, such as realm_access.roles. The names in a path may
// contain dots, because the names of claims are often URLs. The longest name that
// exists wins.
func findClaim(object map[string]any, path string) (value any, found bool) {
	if value, found = object[path]; found {
		return value, true
	}
	for dot := strings.LastIndexByte(path, '.'); dot >= 0; dot = strings.LastIndexByte(path[:dot], '.') {
		inner, isObject := object[path[:dot]].(map[string]any)
		if !isObject {
			continue
		}
		if value, found = findClaim(inner, path[dot+1:]); found {
			return value, true
		}
	}
	return nil, false
}

// roles returns the roles of a token. It logs a token without roles, because its
// user would see an empty app.
func (i *Issuer) roles(c jwt.MapClaims) []access.Role {
	value, found := findClaim(c, i.c.RolesClaim)
	roles := parseRoles(value)
	if !found {
		i.rolesMissing.Do(func() {
			i.c.Logger.Warn("a token has no claim with roles: its user sees nothing; is --jwt-roles right?", "claim",
				i.c.RolesClaim, "claims", claimNames(c))
		})
	} else if len(roles) == 0 {
		i.rolesUnknown.Do(func() {
			i.c.Logger.Warn("a token has no role of Yardline: its user sees nothing", "claim", i.c.RolesClaim, "roles",
				access.Roles)
		})
	}
	return roles
}

// employee returns the employee id of a token, or 0 when there is none. It logs a
// missing claim as information only, because not every user is an employee.
func (i *Issuer) employee(c jwt.MapClaims) int64 {
	value, found := findClaim(c, i.c.EmployeeClaim)
	id := parseEmployee(value)
	if !found {
		i.employeeMissing.Do(func() {
			i.c.Logger.Info("a token has no claim with an employee id; is --jwt-employee right?", "claim",
				i.c.EmployeeClaim, "claims", claimNames(c))
		})
	} else if id == 0 && value != nil {
		i.employeeInvalid.Do(func() {
			i.c.Logger.Warn("a token's employee id is no positive integer and is not used", "claim", i.c.EmployeeClaim)
		})
	}
	return id
}

// maxNames is the most names of claims in a line of the log.
const maxNames = 30

// claimNames returns the names of a token's claims, for the log. Their values may be
// secret.
func claimNames(c jwt.MapClaims) (all []string) {
	for name := range c {
		all = append(all, name)
	}
	slices.Sort(all)
	return all[:min(len(all), maxNames)]
}

// parseRoles reads a list of roles, or a text with roles between spaces or commas.
// It skips names that are no roles of Yardline, because they may belong to another
// system.
func parseRoles(value any) (roles []access.Role) {
	var names []string
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			name, _ := v.(string)
			names = append(names, name)
		}
	case string:
		names = strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
	}
	for _, name := range names {
		if role := access.Role(name); slices.Contains(access.Roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// parseEmployee reads an employee id, and returns 0 for anything else. It accepts a
// list of one id, because some providers put each attribute of a user into a list.
func parseEmployee(v any) int64 {
	switch v := v.(type) {
	case []any:
		if len(v) == 1 {
			return parseEmployee(v[0])
		}
	case json.Number:
		return parseEmployee(v.String())
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return 0
}
