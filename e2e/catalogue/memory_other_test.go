//go:build !linux

package catalogue

func memoryDir() string { return "" }
