"""The texts of Garments and of Rejected."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "rejected_intro": (
        "Each reason once, the newest first. What is put right in the export or the picture is tried by the next run.",
        "每个原因只列一次，最新的在前。导出文件或图片修正后，下一次运行会自动重试。",
    ),
    "no_rejected": ("Every row can be used.", "所有行均可使用。"),
    "no_rejected_filter": ("No rejected row fits.", "没有符合条件的行。"),
    "search_sku": ("Sku or address", "SKU 或地址"),
    "rule": ("Rule", "规则"),
    "any_rule": ("any", "不限"),
    "list_for_studio": ("List for the studio (CSV)", "导出清单（CSV）"),
    "what_to_do": ("What to do", "处理办法"),
    "measured": ("Measured", "实测"),
    "allowed": ("Allowed", "允许"),
    "picture": ("Picture", "图片"),
    "row": ("Row", "行"),
    "no_sku": ("without a sku", "无 SKU"),
    "search_garment": ("Sku or title", "SKU 或标题"),
    "find": ("Find", "查找"),
    "no_garments": ("No run has asked for a garment yet.", "还没有运行请求过商品。"),
    "no_garments_fit": ("No garment fits.", "没有符合条件的商品。"),
    "garment_named": ("Named by the export of {date}", "见于 {date} 的导出文件"),
    "given": ("Given", "输入"),
    "shown_now": ("In the catalogue", "目录中"),
    "not_shown": ("Not shown", "未展示"),
    "no_picture_shown": ("No picture", "没有图片"),
    "history": ("History", "历史"),
    "history_when": ("When", "时间"),
    "history_what": ("What", "事件"),
    "history_who": ("By", "操作者"),
    "sent_heading": ("Sent", "发送记录"),
    "result_key": ("Result key", "结果编号"),
    "to_review": ("Review it", "去审核"),
    "retry": ("Try again", "重试"),
    "retry_hint": (
        "It is planned again. The next run that wants it sends it, for {price}.",
        "重新列入计划，需要它的下一次运行会发送，费用 {price}。",
    ),
    "retry_done": ("{what} is planned again.", "{what} 已重新列入计划。"),
    "to_garments": ("All garments", "全部商品"),
    "sub_SUBMITTING": ("being sent", "正在发送"),
    "sub_SUBMITTED": ("accepted", "已接受"),
    "sub_REFUSED": ("refused, free", "被拒绝，免费"),
    "sub_IN_DOUBT": ("in doubt", "存疑"),
    "sub_WRITTEN_OFF": ("written off", "已核销"),
    "sub_COLLECTED": ("collected", "已收取"),
}
