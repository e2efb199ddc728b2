package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aftershock/access"
	"aftershock/internal/loopback"
)

// loginFlags say who may log in to the pages. Without users and a provider nobody may, and all
// that is shown is public.
type loginFlags struct {
	WebUsers  string   `help:"File of those who may log in (web user add); what they may is looked up at each request." placeholder:"FILE" type:"path"`
	WebTokens string   `help:"File of the tokens that they make for scripts. It holds digests. Without it there are none." placeholder:"FILE" type:"path"`
	WebSaved  string   `help:"File of what they save: searches, short links, lists of signatures that rankings leave out. Without it nothing can be saved." placeholder:"FILE" type:"path"`
	WebKey    string   `help:"File of the key that sessions are sealed with; it is made where there is none. Servers that share it know each other's sessions." placeholder:"FILE" type:"path"`
	WebURL    string   `help:"What browsers call the pages by, https://crash.example: a proxy in front of them speaks TLS. Without it they are for this machine alone, once somebody may log in." name:"web-url" placeholder:"URL"`
	WebProxy  []string `help:"Address or network of a proxy whose X-Forwarded-For tells where a login comes from. Repeat it." placeholder:"CIDR"`

	OIDCIssuer      string   `help:"OpenID Connect provider whose viewers may log in." name:"oidc-issuer" placeholder:"URL"`
	OIDCClient      string   `help:"What the provider knows the pages as." name:"oidc-client" placeholder:"ID"`
	OIDCSecretFile  string   `help:"File with the secret that it gave them; or set $AFTERSHOCK_OIDC_SECRET." name:"oidc-secret-file" placeholder:"FILE"`
	OIDCGroupsClaim string   `help:"Claim of its tokens with a viewer's groups." name:"oidc-groups-claim" default:"groups"`
	OIDCRole        []string `help:"A role, and a group of the provider that has it, protected=crash-viewers. Repeat it." name:"oidc-role" placeholder:"ROLE=GROUP" sep:"none"`
}

// oidcSecret is the environment's variable with the provider's secret.
const oidcSecret = "AFTERSHOCK_OIDC_SECRET" //nolint:gosec // its name

// on tells whether anybody may log in.
func (f *loginFlags) on() bool { return f.WebUsers != "" || f.OIDCIssuer != "" }

// keptIn puts the files that are not named into a data directory.
func (f *loginFlags) keptIn(dir string) {
	if f.on() && f.WebKey == "" {
		f.WebKey = filepath.Join(dir, "web-key")
	}
	if f.on() && f.WebSaved == "" {
		f.WebSaved = filepath.Join(dir, "web-saved.json")
	}
	if f.WebUsers != "" && f.WebTokens == "" {
		f.WebTokens = filepath.Join(dir, "web-tokens.json")
	}
}

// check refuses flags that do not go together: half a login is none.
func (f *loginFlags) check(listen string) error {
	at, err := f.url()
	if err != nil {
		return err
	}
	switch {
	case !f.on() && (f.WebTokens != "" || f.WebSaved != "" || f.WebKey != "" || f.OIDCClient != "" || f.OIDCSecretFile != "" || len(f.OIDCRole) > 0):
		return &usageError{"nobody may log in: add --web-users FILE or --oidc-issuer URL, or leave --web-tokens, --web-saved, --web-key and --oidc-… out"}
	case !f.on():
		return nil
	case f.WebTokens != "" && f.WebUsers == "":
		return &usageError{"--web-tokens: tokens are for the users of --web-users, whose roles can be looked up when one is used"}
	case f.WebKey == "":
		return &usageError{"there is no key for sessions: add --web-key FILE, which is made where there is none"}
	case !loopback.Is(listen) && (at == nil || at.Scheme != "https"):
		return &usageError{fmt.Sprintf("passwords and sessions would travel readable to %s: let a proxy with TLS stand in front of the pages, and add --web-url https://…, by which browsers call it", listen)}
	case f.OIDCIssuer != "" && at == nil:
		return &usageError{"--oidc-issuer: the provider must know where to send viewers back to: add --web-url"}
	case f.OIDCIssuer != "" && f.OIDCClient == "":
		return &usageError{"--oidc-issuer: add --oidc-client, what the provider knows the pages as"}
	case f.OIDCIssuer == "" && (f.OIDCClient != "" || f.OIDCSecretFile != "" || len(f.OIDCRole) > 0):
		return &usageError{"there is no provider: add --oidc-issuer, or leave --oidc-… out"}
	}
	return nil
}

// url is --web-url, nil when it is not given.
func (f *loginFlags) url() (*url.URL, error) {
	if f.WebURL == "" {
		return nil, nil //nolint:nilnil // see above
	}
	u, err := url.Parse(f.WebURL)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback.Is(u.Host)) {
		return nil, &usageError{fmt.Sprintf("--web-url %s: want https://host without a path; http:// is for this machine alone", f.WebURL)}
	}
	return u, nil
}

// names are hosts that browsers may call the pages by, with those that --allow-host lists.
func (f *loginFlags) names(allowed []string) []string {
	if u, err := f.url(); err == nil && u != nil {
		return append([]string{u.Hostname()}, allowed...)
	}
	return allowed
}

// proxies are the networks of --web-proxy.
func (f *loginFlags) proxies() (all []netip.Prefix, err error) {
	for _, text := range f.WebProxy {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, &usageError{fmt.Sprintf("--web-proxy %s: want an address or a network", text)}
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// login is who may log in; nil when nobody may. check has looked.
func (f *loginFlags) login() (*access.Login, error) {
	if !f.on() {
		return nil, nil //nolint:nilnil // see above
	}
	at, err := f.url()
	if err != nil {
		return nil, err
	}
	o := access.LoginOptions{Secure: at != nil && at.Scheme == "https", Now: time.Now}
	if o.Seal, err = access.OpenSeal(f.WebKey); err != nil {
		return nil, fmt.Errorf("--web-key: %w", err)
	}
	if f.WebUsers != "" {
		if o.Users, err = access.OpenUsers(f.WebUsers, time.Now); err != nil {
			return nil, fmt.Errorf("--web-users: %w", err)
		}
	}
	if f.WebTokens != "" {
		if o.Tokens, err = access.OpenTokens(f.WebTokens, time.Now); err != nil {
			return nil, fmt.Errorf("--web-tokens: %w", err)
		}
	}
	if f.WebSaved != "" {
		if o.Keep, err = access.OpenKeep(f.WebSaved, time.Now); err != nil {
			return nil, fmt.Errorf("--web-saved: %w", err)
		}
	}
	if f.OIDCIssuer != "" {
		if o.OIDC, err = f.oidc(at); err != nil {
			return nil, err
		}
	}
	return access.NewLogin(o), nil
}

// oidc is the provider.
func (f *loginFlags) oidc(at *url.URL) (*access.OIDC, error) {
	issuer, err := url.Parse(f.OIDCIssuer)
	if err != nil || issuer.Host == "" || issuer.Scheme != "https" && (issuer.Scheme != "http" || !loopback.Is(issuer.Host)) {
		return nil, &usageError{fmt.Sprintf("--oidc-issuer %s: want https://host/…", f.OIDCIssuer)}
	}
	o := access.OIDCOptions{
		Issuer: f.OIDCIssuer, ClientID: f.OIDCClient, ClientSecret: os.Getenv(oidcSecret),
		URL: at.Scheme + "://" + at.Host, GroupsClaim: f.OIDCGroupsClaim, Groups: map[access.Role][]string{},
	}
	if f.OIDCSecretFile != "" {
		if o.ClientSecret != "" {
			return nil, &usageError{"two secrets: remove --oidc-secret-file or $" + oidcSecret}
		}
		text, err := readSmall(f.OIDCSecretFile, maxPasswordBytes)
		if err != nil {
			return nil, fmt.Errorf("--oidc-secret-file: %w", err)
		}
		if o.ClientSecret = strings.TrimRight(string(text), "\r\n"); o.ClientSecret == "" {
			return nil, fmt.Errorf("--oidc-secret-file: %s is empty", f.OIDCSecretFile)
		}
	}
	for _, text := range f.OIDCRole {
		name, group, _ := strings.Cut(text, "=")
		roles, err := access.ParseRoles([]string{name})
		if err != nil || group == "" {
			return nil, &usageError{fmt.Sprintf("--oidc-role %s: want ROLE=GROUP, the role one of %s", text, access.RoleNames(access.Roles))}
		}
		o.Groups[roles[0]] = append(o.Groups[roles[0]], group)
	}
	return access.NewOIDC(o), nil
}
