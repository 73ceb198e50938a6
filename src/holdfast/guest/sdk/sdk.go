// Package sdk lets a program say something about its result, apart from what it prints: it comes back as `metadata`,
// up to 64 KB of JSON.
package sdk

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

const folder = "/workspace/.holdfast"
const file = folder + "/metadata.json"

// SetMetadata sets the metadata of this run; a later call replaces it.
func SetMetadata(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// GetMetadata decodes the metadata set so far into target, and leaves it alone if there is none.
func GetMetadata(target any) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, target)
}
