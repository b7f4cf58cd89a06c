"""The texts of Doubts and stops."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "doubts_heading": ("Sent, and never answered", "已发送但没有答复"),
    "doubts_intro": (
        "Nobody knows whether the vendor has these. Nothing of it is sent again before you decide. Compare the "
        "vendor's bill, or ask its support with the request id.",
        "没有人知道供应商是否已收到这些提交。在您决定之前不会重新发送。请核对供应商账单，或用请求编号询问其客服。",
    ),
    "no_doubts": ("Nothing is in doubt.", "没有存疑的提交。"),
    "doubt_title": ("Submission {id}", "提交 {id}"),
    "doubt_sent": ("Sent", "发送时间"),
    "doubt_by_run": ("By the run", "所属运行"),
    "doubt_garments": ("Garments", "商品"),
    "doubt_more": ("and more", "等"),
    "doubt_no_garment": ("of no garment now", "已无对应商品"),
    "doubt_known": ("What is known", "已知情况"),
    "doubt_nothing_known": ("nothing", "无"),
    "doubt_code": ("Code", "代码"),
    "doubt_request": ("Request id", "请求编号"),
    "doubt_found": ("The vendor has it", "供应商已收到"),
    "doubt_found_means": (
        "The key is checked at the vendor, which is free. Then the pictures are collected; {amount} is owed already.",
        "系统会向供应商免费核对结果编号，然后收取图片；{amount} 已经产生。",
    ),
    "doubt_key": ("Result key", "结果编号"),
    "doubt_check": ("Check and collect", "核对并收取"),
    "doubt_lost": ("The vendor does not have it", "供应商没有收到"),
    "doubt_lost_means": (
        "The next run that wants them sends them: {amount}. If the vendor has them after all, you pay twice.",
        "需要它们的下一次运行会重新发送：{amount}。如果供应商其实已收到，您将付两次费。",
    ),
    "doubt_declare_lost": ("Plan again", "重新计划"),
    "doubt_give_up": ("Give up", "放弃"),
    "doubt_give_up_means": (
        "Nothing more is done. {amount} may stand on the bill all the same.",
        "不再处理。账单上仍可能有 {amount}。",
    ),
    "doubt_no_key": ("Give the result key that the vendor has it under.", "请填写供应商的结果编号。"),
    "doubt_done_found": (
        "1 look is paid for; its pictures are collected by the next run of tryon_recover."
        "|{n} looks are paid for; their pictures are collected by the next run of tryon_recover.",
        "{n} 个试穿已确认付费，下一次 tryon_recover 运行会收取图片。",
    ),
    "doubt_done_lost": (
        "1 look is planned again.|{n} looks are planned again.",
        "{n} 个试穿已重新计划。",
    ),
    "doubt_done_give_up": ("1 look is given up.|{n} looks are given up.", "已放弃 {n} 个试穿。"),
    "stops_heading": ("Stops", "停止"),
    "stops_intro": (
        "The vendor refuses everything that is sent over these connections. Put that right first, then resume.",
        "供应商拒绝通过这些连接发送的一切。请先排除原因，然后恢复。",
    ),
    "no_stops": ("Nothing is stopped.", "没有停止的连接。"),
    "stop_credentials": (
        "Wrong credentials: put the right ones into the Airflow connection {conn}.",
        "凭证有误：请在 Airflow 连接 {conn} 中填写正确的凭证。",
    ),
    "stop_package": ("The package is used up: buy one at the vendor.", "套餐已用完：请向供应商购买。"),
    "stop_since": ("Since", "自"),
    "stop_resume": ("Resume", "恢复发送"),
    "stop_lifted": (
        "Submissions over {conn} go on with the next run. Clear the submit tasks that failed to go on at once.",
        "连接 {conn} 将随下一次运行恢复发送。如需立即继续，请清除失败的提交任务。",
    ),
    "stop_gone": (
        "Nothing is stopped over {conn}: somebody was faster, or a run got through.",
        "连接 {conn} 并未停止：已有他人恢复，或已有运行成功发送。",
    ),
}
