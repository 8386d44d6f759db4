package event

import "time"

// SystemNotificationData is the payload of system_notification. Audience lists the roles
// that receive it; without it, all users do.
type SystemNotificationData struct {
	Message     string    `json:"message" class:"S" rule:"required len=500"`
	Title       string    `json:"title,omitempty" class:"S" rule:"len=80"`
	Level       string    `json:"level,omitempty" class:"S" enum:"info,success,warning,error" default:"info"`
	Category    string    `json:"category,omitempty" class:"S" enum:"maintenance,release,security,incident,general"`
	Audience    []string  `json:"audience,omitempty" class:"S" rule:"items=5" enum:"dispatcher,yard,hr,manager,admin"`
	ActionURL   string    `json:"action_url,omitempty" class:"S" rule:"len=2000 format=path"`
	ActionLabel string    `json:"action_label,omitempty" class:"S" rule:"len=24"`
	StartsAt    time.Time `json:"starts_at,omitzero" class:"S"`
	ExpiresAt   time.Time `json:"expires_at,omitzero" class:"S"`
}

// SyncProgressData is the payload of sync_progress. Progress is in percent. StartedBy is
// the id of the user that started the sync.
type SyncProgressData struct {
	SyncID    string  `json:"sync_id,omitempty" class:"S" rule:"strict len=64 format=line"`
	Entity    string  `json:"entity,omitempty" class:"S" enum:"$sync_entity" default:"customers"`
	Status    string  `json:"status,omitempty" class:"S" enum:"$sync_status" default:"running"`
	Progress  float64 `json:"progress" class:"S" rule:"required min=0 max=100"`
	Current   *int64  `json:"current,omitempty" class:"S" rule:"min=0"`
	Total     *int64  `json:"total,omitempty" class:"S" rule:"min=0"`
	StartedBy int64   `json:"started_by,omitempty" class:"S"`
	Error     string  `json:"error,omitempty" class:"S" rule:"len=300"`
}
