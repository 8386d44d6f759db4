package demo

import (
	"fmt"
	"math"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// ping is a machine's tracker, near where the machine is.
func (c *Company) ping() {
	m := pick(c, c.fleet)
	m.lat += (c.r.Float64() - 0.5) / 2000
	m.lng += (c.r.Float64() - 0.5) / 2000
	m.batteries = max(5, m.batteries-c.r.Int64N(2))
	data := c.fix(m)
	data["movement"] = pick(c, []string{"parked", "idle", "moving"})
	if data["movement"] == "moving" {
		data["speed_kmh"], data["heading_deg"] = c.r.IntN(40), c.r.IntN(360)
	}
	c.emit(event.TypeEquipmentLocationUpdated, data)
}

// move brings a machine to a site, or away from it.
func (c *Company) move(m *machine, to site, movement string) {
	m.lat, m.lng, m.place = to.lat, to.lng, to.name
	data := c.fix(m)
	data["movement"] = movement
	c.emit(event.TypeEquipmentLocationUpdated, data)
}

func (c *Company) fix(m *machine) map[string]any {
	round := func(f float64) float64 { return math.Round(f*1e5) / 1e5 }
	data := map[string]any{"equipment_id": m.id, "equipment_name": m.name, "latitude": round(m.lat), "longitude": round(m.lng), "location_name": m.place,
		"accuracy_m": 3 + c.r.IntN(10), "battery_pct": m.batteries}
	if m.rental != nil {
		data["rental_id"] = m.rental.id
	}
	return data
}

// breakdown opens a case for a sound machine, or moves an open one on.
func (c *Company) breakdown() {
	m := pick(c, c.fleet)
	data := map[string]any{"equipment_id": m.id, "equipment_name": m.name}
	if m.broken == "" {
		m.broken = pick(c, faults)
		data["priority"] = pick(c, []string{"low", "medium", "high", "critical"})
		data["maintenance_type"] = pick(c, []string{"scheduled", "breakdown", "inspection"})
		data["blocks_rental"] = c.r.IntN(2) == 0
		data["estimated_cost"] = 50 * (1 + c.r.IntN(30))
		if m.rental != nil {
			data["affected_rental_id"] = m.rental.id
		}
		data["status"] = "open"
	} else {
		data["status"] = "resolved"
	}
	data["issue"] = m.broken
	data["maintenance_id"] = fmt.Sprintf("M-%d-%s", m.id, m.broken)
	if data["status"] == "resolved" {
		m.broken = ""
	}
	c.emit(event.TypeMaintenanceRequired, data)
}

// timesheet hands one in, or decides about the oldest.
func (c *Company) timesheet() {
	if len(c.sheets) < 3 || c.r.IntN(2) == 0 {
		c.sheets = append(c.sheets, &sheet{id: c.number(), worker: pick(c, workers), date: c.now.Format(time.DateOnly), hours: 6 + float64(c.r.IntN(9))/2, status: "submitted"})
		c.emitSheet(c.sheets[len(c.sheets)-1])
		return
	}
	s := c.sheets[0]
	c.sheets = c.sheets[1:]
	s.status = "approved"
	if c.r.IntN(8) == 0 {
		s.status = "rejected"
	}
	c.emitSheet(s)
}

func (c *Company) emitSheet(s *sheet) {
	data := map[string]any{"timesheet_id": s.id, "employee_id": s.worker.id, "employee_name": s.worker.name, "status": s.status, "date": s.date, "hours_worked": s.hours}
	if s.status == "rejected" {
		data["rejection_reason"] = "The hours do not match the site's log"
	}
	c.emit(event.TypeTimesheetUpdated, data)
}

func (c *Company) requestLeave() {
	if len(c.leaves) == 0 || c.r.IntN(2) == 0 {
		start := c.now.AddDate(0, 0, 3+c.r.IntN(30))
		c.leaves = append(c.leaves, &leave{id: c.number(), worker: pick(c, workers), start: start.Format(time.DateOnly),
			end: start.AddDate(0, 0, c.r.IntN(5)).Format(time.DateOnly), kind: pick(c, []string{"annual", "annual", "sick", "other"}), status: "pending"})
		c.emitLeave(c.leaves[len(c.leaves)-1])
		return
	}
	l := c.leaves[0]
	c.leaves = c.leaves[1:]
	l.status = pick(c, []string{"approved", "approved", "rejected"})
	c.emitLeave(l)
}

func (c *Company) emitLeave(l *leave) {
	c.emit(event.TypeLeaveRequestUpdated, map[string]any{"leave_request_id": l.id, "employee_id": l.worker.id, "employee_name": l.worker.name, "status": l.status,
		"start_date": l.start, "end_date": l.end, "leave_type": l.kind})
}

// syncing starts a sync, or moves the one that runs.
func (c *Company) syncing() {
	if c.sync == nil {
		c.sync = &sync{id: fmt.Sprintf("sync-%d", c.number()), entity: pick(c, []string{"customers", "rentals", "equipment", "invoices", "all"})}
	} else {
		c.sync.progress = min(100, c.sync.progress+20+c.r.Int64N(30))
	}
	s := c.sync
	data := map[string]any{"sync_id": s.id, "entity": s.entity, "status": "running", "progress": s.progress, "current": s.progress * 12, "total": 1200, "started_by": 5}
	if s.progress == 100 {
		data["status"], c.sync = "completed", nil
		if c.r.IntN(6) == 0 {
			data["status"], data["error"] = "failed", "The accounting system did not answer"
		}
	}
	c.emit(event.TypeSyncProgress, data)
}

// payroll is a run of the month, then a payslip for each worker.
func (c *Company) payroll() {
	period, total := c.now.Format("2006-01"), int64(len(workers))
	data := map[string]any{"payroll_run_id": "PR-" + period, "period": period, "status": "processing", "employee_count": total, "processed_count": c.run,
		"failed_count": 0}
	if c.run == total {
		data["status"], data["total_net"], c.run = "completed", 2400*total, 0
		c.emit(event.TypePayrollProcessed, data)
		return
	}
	c.emit(event.TypePayrollProcessed, data)
	c.emit(event.TypePayrollProcessed, map[string]any{"payroll_run_id": "PR-" + period, "period": period,
		"employee_id": workers[c.run].id, "amount": 2400})
	c.run++
}

func (c *Company) notice() {
	c.emit(event.TypeSystemNotification, pick(c, []map[string]any{
		{"title": "Delivery window moved", "message": "Deliveries to Harbour West start at 10:00 today.", "level": "info", "category": "general", "audience": []string{"dispatcher", "yard"}},
		{"title": "Release", "message": "A new version of the rental system goes live tonight.", "level": "info", "category": "release"},
		{"title": "Storm warning", "message": "Cranes stay down after 16:00.", "level": "warning", "category": "incident", "audience": []string{"dispatcher", "yard", "manager"}},
	}))
}
