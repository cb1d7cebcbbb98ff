package cli

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
)

// projectFlags say where modules are.
type projectFlags struct {
	ModCache string `name:"modcache" placeholder:"DIR" help:"Module cache to read, in place of GOMODCACHE."`
	Mod      string `name:"mod" enum:",mod,readonly,vendor" default:"" placeholder:"MODE" help:"How the build will be run: the -mod flag of the go command: mod, readonly or vendor. Overrides GOFLAGS, and the go command's own choice of a vendor folder."`
}

// policyFlags are shorthand for a policy.
type policyFlags struct {
	Policy                      string   `placeholder:"FILE" help:"Policy file (docs/policy.md), in place of the flags that are shorthand for one."`
	Key                         []string `placeholder:"K.pub" sep:"none" help:"Public key of somebody who may vouch for modules in Rekor. Repeatable."`
	CertificateIdentity         string   `placeholder:"ID" help:"Identity in the certificate of somebody who may vouch for modules."`
	CertificateIdentityRegexp   string   `placeholder:"RE" help:"The same as a regular expression, which must match all of it."`
	CertificateOidcIssuer       string   `placeholder:"URL" help:"OIDC issuer in that certificate."`
	CertificateOidcIssuerRegexp string   `placeholder:"RE" help:"The same as a regular expression, which must match all of it."`
	Require                     string   `enum:",any,rekor,sumdb,all" default:"" placeholder:"WHAT" help:"What each module needs: a checksum-database record (sumdb), a trusted signer's entry in Rekor (rekor), either (any, the default) or both (all)."`
}

func (f *policyFlags) policy(p *Process) (*policy.Policy, error) {
	if f.Policy != "" {
		return f.file(p)
	}
	out := policy.Flags{Require: cmp.Or(policy.Require(f.Require), policy.RequireAny), AllowLocal: true}
	for _, name := range f.Key {
		k, err := p.publicKey(name)
		if err != nil {
			return nil, err
		}
		s := policy.KeySigner(k)
		s.Name = filepath.Base(name) + " (" + s.Name + ")"
		out.Signers = append(out.Signers, s)
	}
	if f.CertificateIdentity+f.CertificateIdentityRegexp+f.CertificateOidcIssuer+f.CertificateOidcIssuerRegexp != "" {
		s, err := policy.IdentitySigner(policy.Identity{
			Subject: f.CertificateIdentity, SubjectRegexp: f.CertificateIdentityRegexp,
			Issuer: f.CertificateOidcIssuer, IssuerRegexp: f.CertificateOidcIssuerRegexp,
		})
		if err != nil {
			return nil, &usageError{err}
		}
		out.Signers = append(out.Signers, s)
	}
	if len(out.Signers) == 0 && (out.Require == policy.RequireRekor || out.Require == policy.RequireAll) {
		return nil, usagef("--require=%s needs somebody to trust: --key, or --certificate-identity and --certificate-oidc-issuer", out.Require)
	}
	return policy.FromFlags(out), nil
}

// file reads the policy file.
func (f *policyFlags) file(p *Process) (*policy.Policy, error) {
	if len(f.Key) > 0 || f.Require+f.CertificateIdentity+f.CertificateIdentityRegexp+f.CertificateOidcIssuer+f.CertificateOidcIssuerRegexp != "" {
		return nil, usagef("--policy and --key, --certificate-* or --require: the file says all of it")
	}
	name := p.path(f.Policy)
	data, err := limit.ReadFile(name, policy.MaxFile)
	if err != nil {
		return nil, &usageError{err}
	}
	out, err := policy.Parse(f.Policy, data, func(key string) ([]byte, error) { return limit.ReadFile(p.path(key), keys.MaxKeyFile) })
	if err != nil {
		return nil, &usageError{err}
	}
	return out, nil
}

// trustFlags name the logs and authorities that are trusted.
type trustFlags struct {
	RekorPublicKey []string `placeholder:"K.pub" sep:"none" help:"Public key of a Rekor log to trust. Repeatable. With it or --trusted-root, Sigstore's public instance is no longer trusted."`
	TrustedRoot    []string `placeholder:"FILE" sep:"none" help:"trusted_root.json with the logs and authorities to trust. Repeatable."`
}

// named tells whether any log or authority was named.
func (f *trustFlags) named() bool { return len(f.RekorPublicKey)+len(f.TrustedRoot) > 0 }

// material trusts what was named or, if nothing was, the public instance as built
// in.
func (f *trustFlags) material(p *Process) (*trust.Material, error) {
	m, err := f.onlyNamed(p)
	if err == nil && !f.named() {
		err = m.AddPublicGood()
	}
	return m, err
}

// onlyNamed trusts what was named and nothing else.
func (f *trustFlags) onlyNamed(p *Process) (*trust.Material, error) {
	m := &trust.Material{}
	for _, name := range f.RekorPublicKey {
		k, err := p.publicKey(name)
		if err != nil {
			return nil, err
		}
		m.AddRekorKey(k)
	}
	for _, name := range f.TrustedRoot {
		data, err := limit.ReadFile(p.path(name), trust.MaxTrustedRoot)
		if err != nil {
			return nil, &usageError{err}
		}
		if err := m.AddTrustedRoot(data); err != nil {
			return nil, usagef("%s: %w", name, err)
		}
	}
	return m, nil
}

// public tells whether Sigstore's public instance is what is trusted.
func (f *trustFlags) public() bool { return len(f.RekorPublicKey)+len(f.TrustedRoot) == 0 }

// publicKey reads a public key file.
func (p *Process) publicKey(name string) (*keys.Public, error) {
	data, err := limit.ReadFile(p.path(name), keys.MaxKeyFile)
	if err != nil {
		return nil, &usageError{err}
	}
	k, err := keys.ParsePublic(data)
	if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	return k, nil
}

// privateKey reads a private key file, and asks for its password if it has one.
func (p *Process) privateKey(name string) (*keys.Private, error) {
	data, err := limit.ReadFile(p.path(name), keys.MaxKeyFile)
	if err != nil {
		return nil, &usageError{err}
	}
	k, err := keys.ParsePrivate(data, func() ([]byte, error) { return p.password("password of " + name + ": ") })
	if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	return k, nil
}

// openBundle opens a bundle, which must be a file: it is read twice.
func (p *Process) openBundle(name string) (*os.File, int64, error) {
	info, err := os.Stat(p.path(name))
	if err != nil {
		return nil, 0, &usageError{err}
	}
	if !info.Mode().IsRegular() {
		return nil, 0, usagef("%s is not a file", name)
	}
	f, err := os.Open(p.path(name))
	if err != nil {
		return nil, 0, &usageError{err}
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// verifierSumDB is the checksum database whose records count offline. GOSUMDB=off
// keeps the go command from asking a database, which an enclave without a
// network has good reason for; it is --sumdb=off that distrusts its records.
func verifierSumDB(flag string, env gomod.Env) (*trust.SumDB, error) {
	if flag != "" {
		return trust.ParseGOSUMDB(flag)
	}
	db, err := trust.ParseGOSUMDB(cmp.Or(env.GOSUMDB, "sum.golang.org"))
	if err == nil && db == nil {
		return trust.ParseGOSUMDB("sum.golang.org")
	}
	return db, err
}
