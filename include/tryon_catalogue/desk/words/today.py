"""The texts of Today."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "waits_for_you": ("Waits for you", "等待您处理"),
    "nothing_waits": ("Nothing waits for you.", "目前没有需要您处理的事项。"),
    "reviews_wait": ("1 look waits for your eyes|{n} looks wait for your eyes", "{n} 个试穿等待审核"),
    "reviews_since": ("The oldest has waited for {age}.", "最早的已等待 {age}。"),
    "start_review": ("Review", "开始审核"),
    "approvals_wait": ("A run asks whether it may spend {amount}", "有运行请求花费 {amount}"),
    "answer_in_airflow": ("Answer in Airflow", "在 Airflow 中答复"),
    "doubts_wait": (
        "1 submission was sent and never answered|{n} submissions were sent and never answered",
        "{n} 个提交已发送但没有答复",
    ),
    "doubts_amount": ("{amount} if the vendor has them.", "如果供应商已收到，费用为 {amount}。"),
    "settle_doubts": ("Settle", "去处理"),
    "stopped": ("Nothing is sent over {conn}", "连接 {conn} 已停止发送"),
    "go_to_stops": ("Put right and resume", "排除后恢复"),
    "late_run": ("A run is late", "有运行超时"),
    "open_run": ("Open the run", "打开运行"),
    "open_report": ("Report", "报告"),
    "missing_export": ("An export is missing", "缺少导出文件"),
    "figures": ("Figures", "数据"),
    "month_amount": ("Spent this month", "本月花费"),
    "month_pictures": ("Pictures this month", "本月图片"),
    "oldest_unpublished": ("Oldest not published", "最早未上架"),
    "oldest_hint": ("since the vendor accepted it", "自供应商接受起"),
    "none_open": ("none", "无"),
    "pack_left": ("Left of {pack}", "{pack} 剩余"),
    "pack_until": ("of {size}, until {date}", "共 {size}，有效期至 {date}"),
    "to_money": ("Where the money went", "费用明细"),
    "last_runs": ("Last runs", "最近运行"),
    "no_runs": ("No run has read an export yet.", "还没有运行读取过导出文件。"),
    "began": ("Began", "开始时间"),
    "what_became": ("What became of it", "结果"),
    "run_working": ("at work", "进行中"),
    "run_ended": ("ended", "已结束"),
    "run_asks": ("asks first", "等待批准"),
    "run_late": ("late", "超时"),
}
