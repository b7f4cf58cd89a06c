"""What stands on every page, and what is said when there is none."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "app": ("Try-on", "试穿"),
    "skip_to_content": ("Skip to the content", "跳到正文"),
    "navigation": ("Pages of Try-on", "试穿的页面"),
    "page_today": ("Today", "今天"),
    "page_review": ("Review", "审核"),
    "page_garments": ("Garments", "商品"),
    "page_rejected": ("Rejected", "不可用"),
    "page_doubts": ("Doubts and stops", "存疑与停止"),
    "page_money": ("Money", "费用"),
    "only_looking": (
        "You may look. Deciding needs the right to edit runs in Airflow.",
        "您可以查看。要做决定，需要在 Airflow 中编辑运行的权限。",
    ),
    "back": ("Go on", "继续"),
    "done": ("Done", "已完成"),
    "not_done": ("Nothing was changed", "没有任何改动"),
    "no_page": ("No page to show", "无法显示页面"),
    "network": (
        "The server gave no answer. Nothing is certain: load the page again and look.",
        "服务器没有回应，结果不确定：请重新加载页面查看。",
    ),
    "newer": ("Newer", "较新"),
    "older": ("Older", "较早"),
    "more": ("Show more", "显示更多"),
    "filter": ("Filter", "筛选"),
    "clear_filter": ("Clear", "清除"),
    "minutes": ("1 minute|{n} minutes", "{n} 分钟"),
    "hours": ("1 hour|{n} hours", "{n} 小时"),
    "days": ("1 day|{n} days", "{n} 天"),
    "looks_n": ("1 look|{n} looks", "{n} 个试穿"),
    "model": ("Model", "模特"),
    "garment": ("Garment", "商品"),
    "collection": ("Collection", "系列"),
    "run": ("Run", "运行"),
    "reason": ("Reason", "原因"),
    "note": ("Note", "备注"),
    "cancel": ("Cancel", "取消"),
    "close": ("Close", "关闭"),
    "yes": ("yes", "是"),
    "state_PLANNED": ("planned", "已计划"),
    "state_SUBMITTING": ("being sent", "正在发送"),
    "state_SUBMITTED": ("being made", "制作中"),
    "state_SUCCEEDED": ("made", "已制作"),
    "state_PUBLISHED": ("in the catalogue", "已上架"),
    "state_REJECTED": ("refused", "被拒绝"),
    "state_FAILED": ("failed", "失败"),
    "state_IN_DOUBT": ("in doubt", "存疑"),
    "state_REVIEW": ("waits for you", "待审核"),
    "refused_401": (
        "Log in to Airflow in this browser, then open this page again.",
        "请先在此浏览器中登录 Airflow，然后重新打开本页。",
    ),
    "refused_404": ("There is nothing at this address.", "此地址没有内容。"),
    "refused_422": (
        "The address of this page is incomplete. Open it from the navigation.",
        "此页面的地址不完整，请从导航中打开。",
    ),
    "refused_reading": (
        "You may not see the runs of the nights. Ask whoever manages your Airflow.",
        "您无权查看夜间运行。请联系管理 Airflow 的人员。",
    ),
    "refused_changing": (
        "You may look and not decide. Ask whoever manages your Airflow for the right to edit runs.",
        "您可以查看，但不能做决定。请向管理 Airflow 的人员申请编辑运行的权限。",
    ),
    "refused_stale": (
        "This page has been open for too long. Load it again, and decide once more. Nothing was changed.",
        "此页面打开时间过长。请重新加载后再决定。没有任何改动。",
    ),
    "refused_site": (
        "This did not come from a page of this Airflow, so nothing was changed.",
        "此请求并非来自本 Airflow 的页面，因此没有任何改动。",
    ),
    "refused_busy": (
        "Many people are asking just now. Load the page again in a moment.",
        "当前访问人数较多，请稍后重新加载。",
    ),
    "refused_settings": ("The settings cannot be read. {detail}", "无法读取设置。{detail}"),
    "refused_no_connection": (
        "The API server finds no connection {detail}, which [catalogue] conn_id names. Add it to Airflow.",
        "API 服务器找不到 [catalogue] conn_id 所指的连接 {detail}。请在 Airflow 中添加。",
    ),
    "refused_no_ledger": (
        "The ledger behind the connection {detail} gives no answer, or its tables are missing or of an older release. "
        "The API server's log says which; `tryon init` makes the tables.",
        "连接 {detail} 背后的账本没有回应，或者其表缺失或版本过旧。API 服务器的日志有说明；`tryon init` 可建表。",
    ),
    "refused_ledger_busy": (
        "The ledger behind the connection {detail} is busy. Load this page again in a moment.",
        "连接 {detail} 背后的账本正忙，请稍后重新加载本页。",
    ),
}
