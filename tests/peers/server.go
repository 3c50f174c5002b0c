// Serves net/rpc with the MessagePack codec of github.com/ugorji/go on stdin and stdout.
package main

import (
	"errors"
	"io"
	"net/rpc"
	"os"
	"reflect"
	"time"

	"github.com/ugorji/go/codec"
)

type Pair struct {
	_struct bool `codec:",toarray"`
	A, B    int64
}

type One struct {
	_struct bool `codec:",toarray"`
	Value   interface{}
}

type Number struct {
	_struct bool `codec:",toarray"`
	Value   int64
}

type Nothing struct {
	_struct bool `codec:",toarray"`
}

type Calc struct{}

func (Calc) Add(in Pair, out *int64) error {
	*out = in.A + in.B
	return nil
}

func (Calc) Echo(in One, out *interface{}) error {
	*out = in.Value
	return nil
}

func (Calc) Fail(in Nothing, out *int64) error {
	return errors.New("it failed")
}

func (Calc) Slow(in Number, out *int64) error {
	time.Sleep(time.Duration(in.Value) * time.Millisecond)
	*out = in.Value
	return nil
}

type ends struct {
	io.Reader
	io.WriteCloser
}

func main() {
	handle := new(codec.MsgpackHandle)
	handle.RawToString = true
	handle.WriteExt = true
	handle.MapType = reflect.TypeOf(map[string]interface{}(nil))
	if err := rpc.Register(Calc{}); err != nil {
		panic(err)
	}
	rpc.ServeCodec(codec.MsgpackSpecRpc.ServerCodec(ends{os.Stdin, os.Stdout}, handle))
}
