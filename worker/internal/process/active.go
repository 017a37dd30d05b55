package process

import "leadgate/shared/task"

// active is work that rests while its workspace is suspended: each batch looks before it begins. The sweep wakes the key
// when the workspace is resumed. A drain and an enrichment need no look of their own:
// what they lease or read does.
type active struct {
	work
	key task.Key
}

func whileActive(newWork func(task.Key) work) func(task.Key) work {
	return func(key task.Key) work { return active{newWork(key), key} }
}

func (a active) batch(r *run) (more bool, err error) {
	if ok, err := r.DB.IsActive(r.abort, a.key.Workspace); err != nil || !ok {
		return false, err
	}
	return a.work.batch(r)
}
