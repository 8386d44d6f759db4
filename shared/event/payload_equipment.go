package event

import "time"

// MaintenanceRequiredData is the payload of maintenance_required. MeterReading is in
// hours.
type MaintenanceRequiredData struct {
	MaintenanceID    Ref      `json:"maintenance_id,omitempty" class:"O"`
	EquipmentID      int64    `json:"equipment_id,omitempty" class:"O" rule:"strict"`
	EquipmentName    string   `json:"equipment_name" class:"O" rule:"required len=120 format=line"`
	Issue            string   `json:"issue" class:"O" rule:"required len=300"`
	Priority         string   `json:"priority,omitempty" class:"O" enum:"low,medium,high,critical" default:"medium"`
	MaintenanceType  string   `json:"maintenance_type,omitempty" class:"O" enum:"scheduled,breakdown,inspection,damage"`
	BlocksRental     *bool    `json:"blocks_rental,omitempty" class:"O"`
	Status           string   `json:"status,omitempty" class:"O" enum:"open,in_progress,resolved" default:"open"`
	MeterReading     *float64 `json:"meter_reading,omitempty" class:"O" rule:"min=0"`
	DueDate          string   `json:"due_date,omitempty" class:"O" rule:"format=date"`
	AffectedRentalID int64    `json:"affected_rental_id,omitempty" class:"O"`
	EstimatedCost    *Money   `json:"estimated_cost,omitempty" class:"F" rule:"min=0"`
	Currency         string   `json:"currency,omitempty" class:"F" rule:"format=currency"`
}

// EquipmentLocationUpdatedData is the payload of equipment_location_updated. Latitude and
// Longitude are in degrees (WGS 84), AccuracyM in metres, SpeedKmh in km/h, and
// HeadingDeg in degrees from north.
type EquipmentLocationUpdatedData struct {
	EquipmentID   int64     `json:"equipment_id" class:"O" rule:"required"`
	EquipmentName string    `json:"equipment_name,omitempty" class:"O" rule:"len=120"`
	Latitude      *float64  `json:"latitude,omitempty" class:"L" rule:"min=-90 max=90"`
	Longitude     *float64  `json:"longitude,omitempty" class:"L" rule:"min=-180 max=180"`
	LocationName  string    `json:"location_name,omitempty" class:"O" rule:"len=120"`
	AccuracyM     *float64  `json:"accuracy_m,omitempty" class:"L" rule:"min=0"`
	SpeedKmh      *float64  `json:"speed_kmh,omitempty" class:"L" rule:"min=0"`
	HeadingDeg    *float64  `json:"heading_deg,omitempty" class:"L" rule:"min=0 less_than=360"`
	Movement      string    `json:"movement,omitempty" class:"O" enum:"parked,moving,idle,entered_site,left_site"`
	RentalID      int64     `json:"rental_id,omitempty" class:"O"`
	RecordedAt    time.Time `json:"recorded_at,omitzero" class:"O" rule:"past"`
	BatteryPct    *int64    `json:"battery_pct,omitempty" class:"O" rule:"min=0 max=100"`
}
