package demo

import (
	"fmt"
	"math"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// reportLocation emits a location of a machine's tracker, near the last one.
func (c *Company) reportLocation() {
	m := pick(c, c.fleet)
	m.lat += (c.random.Float64() - 0.5) / 2000
	m.lng += (c.random.Float64() - 0.5) / 2000
	m.battery = max(5, m.battery-c.random.Int64N(2))
	data := c.locationData(m)
	data["movement"] = pick(c, []string{"parked", "idle", "moving"})
	if data["movement"] == "moving" {
		data["speed_kmh"], data["heading_deg"] = c.random.IntN(40), c.random.IntN(360)
	}
	c.emit(event.TypeEquipmentLocationUpdated, data)
}

// moveMachine sets the place of a machine. movement is "entered_site" or "left_site".
func (c *Company) moveMachine(m *machine, to site, movement string) {
	m.lat, m.lng, m.place = to.lat, to.lng, to.name
	data := c.locationData(m)
	data["movement"] = movement
	c.emit(event.TypeEquipmentLocationUpdated, data)
}

// locationData returns the data of an event about the location of a machine.
func (c *Company) locationData(m *machine) map[string]any {
	round := func(f float64) float64 { return math.Round(f*1e5) / 1e5 }
	data := map[string]any{
		"equipment_id":   m.id,
		"equipment_name": m.name,
		"latitude":       round(m.lat),
		"longitude":      round(m.lng),
		"location_name":  m.place,
		"accuracy_m":     3 + c.random.IntN(10),
		"battery_pct":    m.battery,
	}
	if m.rental != nil {
		data["rental_id"] = m.rental.id
	}
	return data
}

// advanceMaintenance opens a maintenance case for a machine, or resolves its open one.
func (c *Company) advanceMaintenance() {
	m := pick(c, c.fleet)
	data := map[string]any{"equipment_id": m.id, "equipment_name": m.name}
	if m.fault == "" {
		m.fault = pick(c, faults)
		data["priority"] = pick(c, []string{"low", "medium", "high", "critical"})
		data["maintenance_type"] = pick(c, []string{"scheduled", "breakdown", "inspection"})
		data["blocks_rental"] = c.random.IntN(2) == 0
		data["estimated_cost"] = 50 * (1 + c.random.IntN(30))
		if m.rental != nil {
			data["affected_rental_id"] = m.rental.id
		}
		data["status"] = "open"
	} else {
		data["status"] = "resolved"
	}
	data["issue"] = m.fault
	data["maintenance_id"] = fmt.Sprintf("M-%d-%s", m.id, m.fault)
	if data["status"] == "resolved" {
		m.fault = ""
	}
	c.emit(event.TypeMaintenanceRequired, data)
}

// advanceTimesheets submits a time sheet, or approves or rejects the oldest one.
func (c *Company) advanceTimesheets() {
	if len(c.sheets) < 3 || c.random.IntN(2) == 0 {
		c.sheets = append(c.sheets, &sheet{
			id:     c.nextNumber(),
			worker: pick(c, workers),
			date:   c.now.Format(time.DateOnly),
			hours:  6 + float64(c.random.IntN(9))/2,
			status: "submitted",
		})
		c.emitSheet(c.sheets[len(c.sheets)-1])
		return
	}
	s := c.sheets[0]
	c.sheets = c.sheets[1:]
	s.status = "approved"
	if c.random.IntN(8) == 0 {
		s.status = "rejected"
	}
	c.emitSheet(s)
}

// emitSheet emits the state of a time sheet.
func (c *Company) emitSheet(s *sheet) {
	data := map[string]any{
		"timesheet_id":  s.id,
		"employee_id":   s.worker.id,
		"employee_name": s.worker.name,
		"status":        s.status,
		"date":          s.date,
		"hours_worked":  s.hours,
	}
	if s.status == "rejected" {
		data["rejection_reason"] = "The hours do not match the site's log"
	}
	c.emit(event.TypeTimesheetUpdated, data)
}

// advanceLeave requests leave for a worker, or approves or rejects the oldest request.
func (c *Company) advanceLeave() {
	if len(c.leaves) == 0 || c.random.IntN(2) == 0 {
		start := c.now.AddDate(0, 0, 3+c.random.IntN(30))
		c.leaves = append(c.leaves, &leave{
			id:     c.nextNumber(),
			worker: pick(c, workers),
			start:  start.Format(time.DateOnly),
			end:    start.AddDate(0, 0, c.random.IntN(5)).Format(time.DateOnly),
			kind:   pick(c, []string{"annual", "annual", "sick", "other"}),
			status: "pending",
		})
		c.emitLeave(c.leaves[len(c.leaves)-1])
		return
	}
	l := c.leaves[0]
	c.leaves = c.leaves[1:]
	l.status = pick(c, []string{"approved", "approved", "rejected"})
	c.emitLeave(l)
}

// emitLeave emits the state of a request for leave.
func (c *Company) emitLeave(l *leave) {
	c.emit(event.TypeLeaveRequestUpdated, map[string]any{
		"leave_request_id": l.id,
		"employee_id":      l.worker.id,
		"employee_name":    l.worker.name,
		"status":           l.status,
		"start_date":       l.start,
		"end_date":         l.end,
		"leave_type":       l.kind,
	})
}

// advanceSync starts a sync, or reports the progress of the one that runs.
func (c *Company) advanceSync() {
	if c.sync == nil {
		c.sync = &syncRun{
			id:     fmt.Sprintf("sync-%d", c.nextNumber()),
			entity: pick(c, []string{"customers", "rentals", "equipment", "invoices", "all"}),
		}
	} else {
		c.sync.progress = min(100, c.sync.progress+20+c.random.Int64N(30))
	}
	s := c.sync
	data := map[string]any{
		"sync_id":    s.id,
		"entity":     s.entity,
		"status":     "running",
		"progress":   s.progress,
		"current":    s.progress * 12,
		"total":      1200,
		"started_by": 5,
	}
	if s.progress == 100 {
		data["status"], c.sync = "completed", nil
		if c.random.IntN(6) == 0 {
			data["status"], data["error"] = "failed", "The accounting system did not answer"
		}
	}
	c.emit(event.TypeSyncProgress, data)
}

// advancePayroll starts the payroll run of the month, makes the next payslip of it, or
// completes it after the last payslip.
func (c *Company) advancePayroll() {
	period, total := c.now.Format("2006-01"), int64(len(workers))
	data := map[string]any{
		"payroll_run_id":  "PR-" + period,
		"period":          period,
		"status":          "processing",
		"employee_count":  total,
		"processed_count": c.payslips,
		"failed_count":    0,
	}
	if c.payslips == total {
		data["status"], data["total_net"], c.payslips = "completed", 2400*total, 0
		c.emit(event.TypePayrollProcessed, data)
		return
	}
	c.emit(event.TypePayrollProcessed, data)
	c.emit(event.TypePayrollProcessed, map[string]any{
		"payroll_run_id": "PR-" + period,
		"period":         period,
		"employee_id":    workers[c.payslips].id,
		"amount":         2400,
	})
	c.payslips++
}

// sendNotice emits a notification for users.
func (c *Company) sendNotice() {
	c.emit(event.TypeSystemNotification, pick(c, []map[string]any{
		{
			"title":    "Delivery window moved",
			"message":  "Deliveries to Harbour West start at 10:00 today.",
			"level":    "info",
			"category": "general",
			"audience": []string{"dispatcher", "yard"},
		},
		{
			"title":    "Release",
			"message":  "A new version of the rental system goes live tonight.",
			"level":    "info",
			"category": "release",
		},
		{
			"title":    "Storm warning",
			"message":  "Cranes stay down after 16:00.",
			"level":    "warning",
			"category": "incident",
			"audience": []string{"dispatcher", "yard", "manager"},
		},
	}))
}
