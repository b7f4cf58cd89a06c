"""The texts of Money."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "money_total": ("Charged in all", "累计费用"),
    "money_uses": ("Uses", "用量"),
    "money_in_doubt": ("In doubt", "存疑"),
    "money_by_price": ("by [price] per_use when it was sent", "按发送时的 [price] per_use 计算"),
    "money_if_vendor": ("if the vendor has it", "如供应商已收到"),
    "money_chart": (
        "Charged by day, {first} to {last}; the highest is {most}",
        "每日费用，{first} 至 {last}；最高为 {most}",
    ),
    "money_highest": ("highest {most}", "最高 {most}"),
    "money_nothing": ("Nothing was spent yet.", "尚无费用。"),
    "money_bill": ("Lines for the bill (CSV)", "对账明细（CSV）"),
    "money_by": ("Spent by", "分类"),
    "by_day": ("day", "按日"),
    "by_run": ("run", "按运行"),
    "by_collection": ("collection", "按系列"),
    "by_pack": ("pack", "按套餐"),
    "money_submissions": ("Submissions", "提交"),
    "money_looks": ("Looks", "试穿"),
    "money_charged": ("Charged", "费用"),
    "money_estimated": ("Estimated", "预估"),
    "money_more": ("{n} earlier ones are in the lines for the bill.", "更早的 {n} 项见对账明细。"),
    "pack": ("Pack", "套餐"),
    "pack_used": ("Used", "已用"),
    "pack_usable": ("Left", "剩余"),
    "pack_paid": ("Paid for it", "购买价"),
    "pack_ends": ("Good until", "有效期至"),
    "no_packs": ("The settings name no pack.", "设置中没有套餐。"),
}
