package gomod

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// With each directive that a go.mod can have, and for each sort of module, the set of a
// project is what the go command downloads and selects; before go 1.17 and since, with
// go.mod and with a file that stands for it (-modfile), and as the only module of a
// workspace.
func TestDirectivesOracle(t *testing.T) {
	w := newGoWorld(t)
	publishFeatures(w)
	const all = "require (\n" +
		"\texample.com/Upper/CASE v1.0.0\n" +
		"\texample.com/big v2.1.0+incompatible\n" +
		"\texample.com/nested v1.0.0\n" +
		"\texample.com/nested/inner v0.1.0\n" +
		"\texample.com/none v1.0.0\n" +
		"\texample.com/pseudo v0.0.0-20240102030405-abcdefabcdef\n" +
		"\texample.com/pseudo/v3 v3.0.1-0.20240102030405-abcdefabcdef // indirect\n" +
		"\texample.com/retracted v1.0.0\n" +
		"\tgopkg.in/dotted.v2 v2.0.0-beta.1\n" +
		")\n"
	tests := map[string]string{
		"nothing more": "",
		"tool":         "tool example.com/nested/inner/cmd\n\ntool (\n\texample.com/none\n\texample.com/main/own\n)\n",
		"ignore":       "ignore ./generated\n\nignore (\n\tnode_modules\n)\n",
		"godebug":      "godebug default=go1.21\n\ngodebug (\n\tpanicnil=1\n)\n",
		"retract":      "retract v1.0.0 // why\n\nretract [v1.1.0, v1.2.0]\n",
		"toolchain":    "toolchain go1.24.0\n",
		"exclude":      "exclude example.com/none v1.1.0\n\nexclude (\n\texample.com/dep v1.0.0\n\texample.com/Upper/CASE v1.1.0\n)\n",
		"replace": "replace example.com/big => example.com/fork v0.1.0\n\nreplace (\n\texample.com/nested/inner v0.1.0 => ./local\n" +
			"\texample.com/pseudo => example.com/Upper/CASE v1.1.0\n\texample.com/unused => ./nowhere\n)\n",
		"all of them": "tool example.com/none\nignore ./x\ngodebug default=go1.21\nretract v1.0.0\nexclude example.com/dep v1.0.0\nreplace example.com/none => example.com/fork v0.1.0\n",
	}
	for name, directives := range tests {
		for _, goLine := range []string{"1.16", "1.24.0"} {
			for _, how := range []string{"go.mod", "-modfile", "go.work"} {
				what := fmt.Sprintf("%s, go %s, %s", name, goLine, how)
				project, req := featureProject(how, "module example.com/main\n\ngo "+goLine+"\n\n"+all+directives)
				w.env, w.sub = nil, ""
				if how == "-modfile" {
					w.env = []string{"GOFLAGS=-modcacherw -modfile=alt.mod"}
				}
				checkFeatures(t, w, what, project, req)
			}
		}
	}
}

func featureProject(how, gomod string) (map[string]string, Request) {
	project := map[string]string{"go.mod": gomod, "m.go": "package m\n", "local/go.mod": "module example.com/nested/inner\n\nrequire example.com/dep v1.1.0\n"}
	req := Request{}
	switch how {
	case "-modfile":
		project["go.mod"], project["alt.mod"] = "module example.com/main\n", gomod
		req.Env.GOFLAGS = "-modfile=alt.mod"
	case "go.work":
		project["go.work"] = "go 1.24.0\n\nuse .\n"
	}
	return project, req
}

func checkFeatures(t *testing.T, w *goWorld, what string, project map[string]string, req Request) {
	t.Helper()
	downloaded := map[module.Version]bool{}
	for m := range w.download(project) {
		downloaded[m] = true
	}
	p, err := w.load(project, req)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	content, _ := readKeys(p)
	if !p.Pruned { // else the set is smaller than the build list
		args := []string{"list", "-mod=mod", "-m", "all"}
		if p.Work != "" {
			args = []string{"list", "-m", "all"}
		}
		selected := map[module.Version]bool{}
		for line := range strings.Lines(w.mustRun(project, args...)) {
			words := strings.Fields(line)
			if i := len(words) - 2; i >= 0 {
				if words[i] == "=>" {
					selected[mod(words[i+1], "")] = true
				} else {
					selected[mod(words[i], words[i+1])] = true
				}
			}
		}
		checkSet(t, what+": selected", content, selected)
	}
	maps.DeleteFunc(content, func(m module.Version, _ bool) bool { return m.Version == "" })
	checkSet(t, what+": downloaded", content, downloaded)
	if len(content) < 6 {
		t.Errorf("%s: %d modules: this test shows too little", what, len(content))
	}
}

// publishFeatures publishes a module of each sort.
func publishFeatures(w *goWorld) {
	for _, m := range []module.Version{
		mod("example.com/Upper/CASE", "v1.0.0"), mod("example.com/Upper/CASE", "v1.1.0"),
		mod("example.com/fork", "v0.1.0"), mod("gopkg.in/dotted.v2", "v2.0.0-beta.1"), mod("example.com/nested", "v1.0.0"),
		mod("example.com/nested/inner", "v0.1.0"), mod("example.com/pseudo", "v0.0.0-20240102030405-abcdefabcdef"),
		mod("example.com/pseudo/v3", "v3.0.1-0.20240102030405-abcdefabcdef"),
	} {
		w.publish(m, "module "+m.Path+"\n\ngo 1.20\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./mine\n\nexclude example.com/none v1.0.0\n", nil)
	}
	w.publish(mod("example.com/retracted", "v1.0.0"), "module example.com/retracted\n\ngo 1.17\n\nretract v1.0.0\n\ntool example.com/retracted/cmd\n", nil)
	w.publish(mod("example.com/none", "v1.0.0"), "", nil)             // no go.mod
	w.publish(mod("example.com/big", "v2.1.0+incompatible"), "", nil) // no go.mod, and no /v2
	w.publish(mod("example.com/dep", "v1.0.0"), "module example.com/dep\n", nil)
	w.publish(mod("example.com/dep", "v1.1.0"), "module example.com/dep\n", nil)
}
